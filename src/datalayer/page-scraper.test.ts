import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type IncomingMessage, type RequestListener, type ServerResponse, createServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, type Server, type Socket, createServer as createTcpServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { generate } from "selfsigned";
import { afterEach, describe, expect, it } from "vitest";
import type { SignalRow } from "../core/events.ts";
import { createCoreMetricsExtractor } from "../plugins/data-layer/core-metrics-extractor.ts";
import type { PlacedEndpoint, ScrapeErrorKind } from "./endpoint-scraper.ts";
import { type PageScraper, type PageScraperOptions, createPageScraper } from "./page-scraper.ts";

const page = (waiting: number) =>
  `# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting ${waiting}\n` +
  "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 1\n" +
  "# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0.5\n" +
  '# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{block_size="16",num_gpu_blocks="100"} 1\n';

interface Failure {
  readonly kind: ScrapeErrorKind;
  readonly endpoint: PlacedEndpoint;
  readonly cause: string;
}

/** Collects what a scraper tells, and waits for what is to come. */
class Watch {
  readonly rows: SignalRow[] = [];
  readonly failures: Failure[] = [];
  #wake: (() => void) | undefined;

  readonly sink = {
    onRow: (row: SignalRow) => {
      this.rows.push(row);
      this.#wake?.();
    },
    onError: (kind: ScrapeErrorKind, endpoint: PlacedEndpoint, cause: string) => {
      this.failures.push({ kind, endpoint, cause });
      this.#wake?.();
    },
  };

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** The next row that comes after this call. */
  async nextRow(): Promise<SignalRow> {
    const { length } = this.rows;
    await this.until(() => this.rows.length > length);
    return this.rows[length];
  }

  async nextFailure(): Promise<Failure> {
    const { length } = this.failures;
    await this.until(() => this.failures.length > length);
    return this.failures[length];
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(server: Server, port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener) => listen(createServer(listener));
/** A server that answers each connection's requests by its own hand. */
const serveRaw = (listener: (socket: Socket, requests: () => number) => void) =>
  listen(
    createTcpServer((socket) => {
      let seen = 0;
      socket.on("data", () => {
        seen++;
        listener(socket, () => seen);
      });
    }),
  );

const place = (port: number, slot = 0): PlacedEndpoint => ({
  id: `default/pod-${slot}`,
  namespace: "default",
  name: `pod-${slot}`,
  address: "127.0.0.1",
  port,
  metricsHost: `127.0.0.1:${port}`,
  labels: {},
  slot,
  generation: 1,
});

function scrape(watch: Watch, options: Partial<PageScraperOptions> = {}): PageScraper {
  const extractors = [createCoreMetricsExtractor({})];
  const scraper = createPageScraper(
    { sourceType: "metrics-data-source", path: "/metrics", extractors, periodMs: 5, pollTimeoutMs: 2000, ...options },
    watch.sink,
  );
  cleanups.push(() => scraper.stop());
  return scraper;
}

const answer = (response: ServerResponse, text: string) =>
  response.writeHead(200, { "content-length": Buffer.byteLength(text) }).end(text);

describe("metrics scraper", () => {
  it("brings rows of a page over one connection, again and again", async () => {
    const requests: IncomingMessage[] = [];
    let connections = 0;
    const server = createServer((request, response) => {
      requests.push(request);
      answer(response, page(requests.length));
    });
    server.on("connection", () => connections++);
    const port = await listen(server);
    const watch = new Watch();
    scrape(watch).add(place(port, 3));
    await watch.until(() => watch.rows.length >= 5);
    const common = { slot: 3, generation: 1, running: 1, kvUsage: 0.5, blockSizeTokens: 16, blockCount: 100 };
    expect(watch.rows.slice(0, 3)).toEqual([1, 2, 3].map((waiting) => ({ ...common, waiting })));
    expect(watch.failures).toEqual([]);
    expect(connections).toBe(1);
    const { method, url, headers } = requests[0];
    expect({ method, url, headers }).toEqual({
      method: "GET",
      url: "/metrics",
      headers: { host: `127.0.0.1:${port}`, "user-agent": "warmpath" },
    });
  });

  it("asks the path and port of the config", async () => {
    const asked: (string | undefined)[] = [];
    const port = await serve((request, response) => {
      asked.push(request.url);
      answer(response, page(1));
    });
    const watch = new Watch();
    scrape(watch, { path: "stats?x y", port }).add(place(1));
    await watch.nextRow();
    expect(asked[0]).toBe("/stats%3Fx%20y");
  });

  it("reads real vLLM pages, chunked or not", async () => {
    const text = gunzipSync(readFileSync("test/captures/vllm/metrics/under-load.txt.gz"));
    let chunked = false;
    const port = await serve((_, response) => {
      chunked = !chunked;
      if (!chunked) {
        response.writeHead(200, { "content-length": text.length }).end(text);
        return;
      }
      response.writeHead(200);
      for (let i = 0; i < text.length; i += 7001) response.write(text.subarray(i, i + 7001));
      response.end();
    });
    const watch = new Watch();
    scrape(watch).add(place(port));
    await watch.until(() => watch.rows.length >= 4);
    const row = { slot: 0, generation: 1, waiting: 12, running: 8, blockSizeTokens: 32, blockCount: 128 };
    expect(watch.rows.slice(0, 4)).toEqual(Array.from({ length: 4 }, () => ({ ...row, kvUsage: 0.6377952755905512 })));
  });

  it("never has two polls of one endpoint at a time, and leaves out the ticks between", async () => {
    let open = 0;
    let most = 0;
    const held: ServerResponse[] = [];
    const port = await serve((_, response) => {
      most = Math.max(most, ++open);
      held.push(response);
      // Answers when a second endpoint with a quick pod has been scraped 20 times more.
    });
    const quick = await serve((_, response) => answer(response, page(2)));
    const watch = new Watch();
    const scraper = scrape(watch);
    scraper.add(place(port, 0));
    scraper.add(place(quick, 1));
    for (let round = 1; round <= 3; round++) {
      await watch.until(() => held.length === 1);
      const target = watch.rows.length + 20;
      await watch.until(() => watch.rows.length >= target);
      expect(held).toHaveLength(1);
      open--;
      answer(held.pop()!, page(round));
      await watch.until(() => watch.rows.filter((row) => row.slot === 0).length >= round);
      while (held.length === 0) await watch.nextRow();
    }
    expect(most).toBe(1);
  });

  it("applies new labels, and forgets a removed endpoint", async () => {
    const text = `${page(1)}# TYPE sglang:num_queue_reqs gauge\nsglang:num_queue_reqs 42\n`;
    const port = await serve((_, response) => answer(response, text));
    const watch = new Watch();
    const scraper = scrape(watch);
    scraper.add(place(port, 0));
    scraper.add(place(port, 1));
    expect((await watch.nextRow()).waiting).toBe(1);
    scraper.update(0, { "llm-d.ai/engine-type": "sglang" });
    await watch.until(() => watch.rows.some((row) => row.slot === 0 && row.waiting === 42));
    scraper.remove(0);
    const from = watch.rows.length;
    await watch.until(() => watch.rows.length >= from + 5);
    expect(watch.rows.slice(from).map((row) => row.slot)).toEqual([1, 1, 1, 1, 1]);
  });

  it("counts a page that lacks something as an extract error, and takes the rest", async () => {
    const port = await serve((_, response) =>
      answer(response, "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 4\n"),
    );
    const watch = new Watch();
    const scraper = scrape(watch);
    scraper.add(place(port));
    const failure = await watch.nextFailure();
    expect(watch.rows[0]).toEqual({ slot: 0, generation: 1, waiting: 4 });
    expect(failure.kind).toBe("extract");
    expect(failure.cause).toContain('Cannot find the metric "vllm:num_requests_running" on the page');
    expect(scraper.counts).toEqual({
      rows: watch.rows.length,
      poll: 0,
      extract: watch.failures.length,
      extractByType: new Map([["core-metrics-extractor", watch.failures.length]]),
    });
  });
});

describe("metrics scraper, against faults", () => {
  it.each([
    ["another status", 503, "x", /status 503$/],
    ["a redirect", 302, "", /status 302$/],
    ["no content", 204, "", /status 204$/],
    ["garbage", 200, "\0\x01 not metrics {{{\n", /Cannot read the metrics page: line 1: not a metric name/],
    ["a cut last line", 200, page(1).trimEnd(), /no newline at the end of the page/],
  ])(
    "%s is a poll error on a connection that stays, and the next good page is taken",
    async (_, status, text, cause) => {
      let bad = true;
      let connections = 0;
      const server = createServer((__, response) =>
        bad ? response.writeHead(status).end(text) : answer(response, page(7)),
      );
      server.on("connection", () => connections++);
      const port = await listen(server);
      const watch = new Watch();
      scrape(watch).add(place(port));
      await watch.until(() => watch.failures.length >= 3);
      expect(watch.failures[0]).toMatchObject({ kind: "poll" });
      expect(watch.failures[0].cause).toMatch(cause);
      expect(watch.failures[0].cause).toContain(`Cannot scrape default/pod-0 at 127.0.0.1:${port}: `);
      expect(watch.rows).toEqual([]);
      bad = false;
      expect((await watch.nextRow()).waiting).toBe(7);
      expect(connections).toBe(1);
    },
  );

  it.each<[string, (socket: Socket) => void, RegExp]>([
    [
      "no HTTP at all",
      (socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
      /the answer is not HTTP\/1\.1: "SSH-2\.0/,
    ],
    [
      "a head without end",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`),
      /head has more than 16384 bytes/,
    ],
    ["a broken header", (socket) => socket.write("HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"), /has the header "nonsense"/],
    [
      "a broken length",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1e3\r\n\r\n"),
      /content-length is "1e3"/,
    ],
    [
      "two lengths",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"),
      /two headers content-length/,
    ],
    [
      "gzip that was not asked for",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx"),
      /encoded as gzip/,
    ],
    [
      "a strange transfer encoding",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"),
      /transfer encoding is "gzip, chunked"/,
    ],
    [
      "a broken chunk size",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
      /chunk's size is "zz/,
    ],
    [
      "an endless chunk size",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${"1".repeat(300)}`),
      /chunk's size is too long/,
    ],
    [
      "a chunk longer than its size",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n"),
      /longer than its size/,
    ],
    [
      "a close in the middle of the body",
      (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nvllm"),
      /closed in the middle of the answer/,
    ],
    [
      "a close in the middle of a chunk",
      (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nvllm"),
      /closed in the middle of the answer/,
    ],
    ["a close without an answer", (socket) => socket.end(), /closed without an answer/],
    ["a reset", (socket) => socket.resetAndDestroy(), /ECONNRESET/],
    [
      "10 MB by length",
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n"),
      /more than 8388608 bytes/,
    ],
    [
      "10 MB in chunks",
      (socket) => {
        const chunk = `100000\r\n${"# a\n".repeat(0x40000)}\r\n`;
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for (let k = 0; k < 10; k++) socket.write(chunk);
        socket.write("0\r\n\r\n");
      },
      /more than 8388608 bytes/,
    ],
    [
      "10 MB of refusal",
      (socket) => socket.write(`HTTP/1.1 500 Oops\r\n\r\n${"x".repeat(10_000_000)}`),
      /status 500 with a body of more than 65536/,
    ],
  ])("%s is a poll error, and a new connection brings the next page", async (_, misbehave, cause) => {
    let bad = true;
    const text = page(9);
    const port = await serveRaw((socket) => {
      if (bad) misbehave(socket);
      else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    });
    const watch = new Watch();
    scrape(watch).add(place(port));
    await watch.until(() => watch.failures.length >= 2);
    for (const failure of watch.failures) {
      expect(failure.kind).toBe("poll");
      expect(failure.cause).toMatch(cause);
    }
    bad = false;
    expect((await watch.nextRow()).waiting).toBe(9);
  });

  it("a pod that hangs costs a poll each pollTimeoutMs, on a connection of its own each time", async () => {
    const sockets: Socket[] = [];
    let hang = true;
    const port = await serveRaw((socket) => {
      sockets.push(socket);
      if (!hang) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${page(3).length}\r\n\r\n${page(3)}`);
    });
    const watch = new Watch();
    scrape(watch, { pollTimeoutMs: 60 }).add(place(port));
    await watch.until(() => watch.failures.length >= 2);
    expect(watch.failures.map((failure) => failure.cause)).toEqual(
      watch.failures.map(() => `Cannot scrape default/pod-0 at 127.0.0.1:${port}: no whole page within 60 ms`),
    );
    hang = false;
    expect((await watch.nextRow()).waiting).toBe(3);
    expect(new Set(sockets).size).toBeGreaterThanOrEqual(3);
  });

  it("a page that drips byte by byte ends at the time-out", async () => {
    const timers = new Set<NodeJS.Timeout>();
    cleanups.push(() => timers.forEach((timer) => clearInterval(timer)));
    const port = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
      const timer = setInterval(() => socket.write("#"), 1);
      timers.add(timer);
      socket.on("close", () => clearInterval(timer));
    });
    const watch = new Watch();
    scrape(watch, { pollTimeoutMs: 60 }).add(place(port));
    expect((await watch.nextFailure()).cause).toMatch(/no whole page within 60 ms$/);
  });

  it("a refused connection is an error until the pod comes up", async () => {
    const server = createServer((_, response) => answer(response, page(5)));
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    const watch = new Watch();
    scrape(watch).add(place(port));
    expect((await watch.nextFailure()).cause).toMatch(/ECONNREFUSED/);
    await listen(server, port);
    expect((await watch.nextRow()).waiting).toBe(5);
  });

  it("takes pages that end with the connection, and answers of an interim kind before them", async () => {
    const port = await serveRaw((socket) =>
      socket.end(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\nserver: old\n\n${page(6)}`),
    );
    const watch = new Watch();
    scrape(watch).add(place(port));
    await watch.until(() => watch.rows.length >= 3);
    expect(watch.rows.map((row) => row.waiting).slice(0, 3)).toEqual([6, 6, 6]);
    expect(watch.failures).toEqual([]);
  });

  it("opens a new connection after an answer that says close, even if the pod leaves the old one open", async () => {
    const sockets = new Set<Socket>();
    const port = await serveRaw((socket, requests) => {
      sockets.add(socket);
      // A second request here would meet silence.
      if (requests() > 1) return;
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${page(2).length}\r\n\r\n${page(2)}`);
    });
    const watch = new Watch();
    scrape(watch).add(place(port));
    await watch.until(() => watch.rows.length + watch.failures.length >= 4);
    expect(watch.failures).toEqual([]);
    expect(sockets.size).toBeGreaterThanOrEqual(4);
  });

  it("asks again on a new connection when the pod closed the idle one", async () => {
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections++;
      let seen = 0;
      socket.on("data", () => {
        // The second request of each connection meets a close.
        if (++seen === 1) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${page(8).length}\r\n\r\n${page(8)}`);
        else socket.end();
      });
    });
    const port = await listen(server);
    const watch = new Watch();
    scrape(watch).add(place(port));
    await watch.until(() => watch.rows.length >= 6);
    expect(watch.failures).toEqual([]);
    expect(connections).toBeGreaterThanOrEqual(6);
  });

  it("holds no more bytes than the limit when many pods send large pages at once", async () => {
    const port = await serveRaw((socket) => {
      // 300 kB of each page, and then nothing more.
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 400000\r\n\r\n${"# a\n".repeat(75_000)}`);
    });
    const watch = new Watch();
    const scraper = scrape(watch, { pageBytesInFlightMax: 2 << 20, pollTimeoutMs: 5000 });
    for (let slot = 0; slot < 20; slot++) scraper.add(place(port, slot));
    const { cause } = await watch.nextFailure();
    expect(cause).toMatch(/metrics pages being read take more than 2097152 bytes together$/);
  });

  it("calls nothing after stop", async () => {
    const port = await serve((_, response) => answer(response, page(1)));
    const watch = new Watch();
    const scraper = scrape(watch);
    scraper.add(place(port, 0));
    await watch.nextRow();
    scraper.stop();
    const { length } = watch.rows;
    // Another scraper's ten rows later, the stopped one has said nothing.
    const other = new Watch();
    scrape(other).add(place(port, 1));
    await other.until(() => other.rows.length >= 10);
    expect(watch.rows).toHaveLength(length);
  });
});

describe("metrics scraper over https", () => {
  const attributes = [{ name: "commonName", value: "pod" }];
  const certificate = () =>
    generate(attributes, {
      keyType: "ec",
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
    });

  async function serveTls(options: object = {}) {
    const { cert, private: key } = await certificate();
    const port = await listen(createHttpsServer({ cert, key, ...options }, (_, response) => answer(response, page(4))));
    return { port, cert };
  }

  it("takes any certificate when it is told to", async () => {
    const { port } = await serveTls();
    const watch = new Watch();
    scrape(watch, { tls: { insecureSkipVerify: true } }).add(place(port));
    await watch.until(() => watch.rows.length >= 3);
    expect(watch.rows[2].waiting).toBe(4);
    expect(watch.failures).toEqual([]);
  });

  it("takes a certificate of a known authority, and no other", async () => {
    const { port, cert } = await serveTls();
    const known = new Watch();
    scrape(known, { tls: { insecureSkipVerify: false, ca: cert } }).add(place(port));
    expect((await known.nextRow()).waiting).toBe(4);
    const unknown = new Watch();
    scrape(unknown, { tls: { insecureSkipVerify: false } }).add(place(port));
    expect((await unknown.nextFailure()).cause).toMatch(/self-signed certificate/);
  });

  it("shows its own certificate", async () => {
    const client = await certificate();
    const { port } = await serveTls({ requestCert: true, rejectUnauthorized: true, ca: client.cert });
    const watch = new Watch();
    scrape(watch, { tls: { insecureSkipVerify: true, cert: client.cert, key: client.private } }).add(place(port));
    expect((await watch.nextRow()).waiting).toBe(4);
    const bare = new Watch();
    scrape(bare, { tls: { insecureSkipVerify: true } }).add(place(port));
    expect((await bare.nextFailure()).kind).toBe("poll");
  });
});
