import { once } from "node:events";
import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { json, text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import type { RequestEnded } from "../core/events.ts";
import { createPickerMetrics } from "../observability/picker-metrics.ts";
import { startPods } from "../simulator/pods/start-pods.ts";
import { brokenMeter } from "./test-support/broken-meter.ts";
import { chatBody, deadPort, headerValues, startFakePod, startFixture } from "./test-support/gateway-fixture.ts";

const CHAT = "/v1/chat/completions";
const JSON_TYPE = { "content-type": "application/json" };
const post = (url: string, body: string, headers: Record<string, string> = {}, path = CHAT) =>
  fetch(url + path, { method: "POST", body, headers: { ...JSON_TYPE, ...headers } });

/** A request whose body is written piece by piece. */
function open(url: string, headers: Record<string, string> = {}): ClientRequest {
  const request = httpRequest(url + CHAT, { method: "POST", headers: { ...JSON_TYPE, ...headers } });
  request.on("error", () => undefined);
  return request;
}
const answerTo = async (request: ClientRequest): Promise<IncomingMessage> =>
  ((await once(request, "response")) as [IncomingMessage])[0];

describe("a gateway over simulated pods", () => {
  it("serves chat and completions, streamed or not, with usage told to the core, and holds nothing afterwards", async () => {
    const fleet = await startPods({ count: 2, timeScale: 0, servedModelName: "m" });
    try {
      const { url, driver, events, reserved, idle, gateway } = await startFixture(fleet.pods.map((pod) => pod.port));
      const asked = { max_tokens: 5, ignore_eos: true };
      const whole = await post(url, chatBody("one two three", asked));
      expect(whole.status).toBe(200);
      expect(await whole.json()).toMatchObject({ object: "chat.completion", usage: { completion_tokens: 5 } });
      const completion = await post(url, JSON.stringify({ model: "m", prompt: "x", ...asked }), {}, "/v1/completions");
      expect(await completion.json()).toMatchObject({ object: "text_completion" });
      for (const include_usage of [true, false]) {
        const streamed = await post(url, chatBody("hi", { ...asked, stream: true, stream_options: { include_usage } }));
        expect(streamed.headers.get("content-type")).toContain("text/event-stream");
        const lines = (await streamed.text()).split("\n").filter((line) => line.startsWith("data: "));
        expect(lines.at(-1)).toBe("data: [DONE]");
        expect(lines.length).toBeGreaterThan(5);
      }
      await idle();
      expect(reserved()).toBe(0);
      expect(driver.core.requestCount).toBe(0);
      expect(gateway.bodyBytesInFlight).toBe(0);
      const ends = events.filter((event): event is RequestEnded => event.type === "requestEnded");
      expect(ends.map(({ cause, usage }) => [cause, usage?.completionTokens])).toEqual([
        ["natural", 5],
        ["natural", 5],
        ["natural", 5],
        ["natural", undefined],
      ]);
      expect(events.filter(({ type }) => type === "responseStarted")).toHaveLength(4);
      expect(events.filter(({ type }) => type === "responseFirstByte")).toHaveLength(4);
    } finally {
      await fleet.stop();
    }
  });
});

describe("what a gateway passes on", () => {
  it("counts the errors of pods, and requests that no pod answered", async () => {
    const { registry, exchanges } = createPickerMetrics();
    const openMeters = () => [exchanges.open()];
    const page = async (): Promise<string> =>
      (await registry.metrics()).split("\n").find((line) => line.startsWith("llm_d_epp_request_error_total{")) ?? "";
    const pod = await startFakePod((request, response) => {
      response.statusCode = request.headers["x-fails"] ? 500 : 200;
      response.end("{}");
    });
    const alive = await startFixture([pod.port], { openMeters });
    expect((await post(alive.url, chatBody("hi"))).status).toBe(200);
    expect(await page()).toBe("");
    expect((await post(alive.url, chatBody("hi"), { "x-fails": "1" })).status).toBe(500);
    expect(await page()).toMatch(/error_code="ModelServerError".* 1$/);
    const dead = await startFixture([await deadPort()], { openMeters });
    expect((await post(dead.url, chatBody("hi"))).status).toBe(502);
    expect(await page()).toMatch(/error_code="ModelServerError".* 2$/);
  });

  it("passes answers and refusals on where the meter throws, and tells of it", async () => {
    const pod = await startFakePod((_, response) => response.end('{"usage":{"completion_tokens":3}}'));
    const told = new Set<string>();
    const { url, idle, reserved } = await startFixture([pod.port], {
      openMeters: () => [brokenMeter()],
      observerFailed: (error) => told.add(String(error)),
    });
    const answer = await post(url, chatBody("hi"));
    expect([answer.status, await answer.text()]).toEqual([200, '{"usage":{"completion_tokens":3}}']);
    expect((await post(url, "{")).status).toBe(400);
    await idle();
    expect(reserved()).toBe(0);
    expect([...told]).toEqual(["Error: a broken meter"]);
  });

  it("keeps method, path, query, body and end-to-end headers, and tells the pod what was picked", async () => {
    const pod = await startFakePod((_, response) => {
      response.writeHead(
        201,
        [
          ["x-pod", "1"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["keep-alive", "timeout=9"],
        ].flat(),
      );
      response.end("done");
    });
    const { url } = await startFixture([pod.port]);
    const request = httpRequest(`${url}/v1/chat/completions?x=%zz&y`, {
      method: "PUT",
      headers: {
        ...JSON_TYPE,
        "x-twice": ["1", "2"],
        connection: "keep-alive, x-mine",
        "x-mine": "hop",
        te: "trailers",
        "proxy-authorization": "secret",
        "x-gateway-destination-endpoint": "10.9.9.9:1",
        host: "llm.example",
      },
    });
    request.end(chatBody());
    const answer = await answerTo(request);
    expect([answer.statusCode, await text(answer)]).toEqual([201, "done"]);
    expect(answer.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
    expect(answer.headers["x-went-into-resp-headers"]).toBe("true");
    expect(answer.headers["keep-alive"]).not.toBe("timeout=9");
    const [seen] = pod.requests;
    expect([seen.method, seen.url, seen.body]).toEqual(["PUT", "/v1/chat/completions?x=%zz&y", chatBody()]);
    const values = (name: string) => headerValues(seen, name);
    expect(values("x-twice")).toEqual(["1", "2"]);
    expect(values("host")).toEqual(["llm.example"]);
    expect(values("x-gateway-destination-endpoint")).toEqual([`127.0.0.1:${pod.port}`]);
    expect(values("x-request-id")[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(values("content-length")).toEqual([String(chatBody().length)]);
    for (const dropped of ["x-mine", "te", "proxy-authorization"]) expect(values(dropped)).toEqual([]);
  });

  it("keeps a client's x-request-id, also when two requests at once have the same", async () => {
    const pod = await startFakePod((request, response) => response.end(request.headers["x-request-id"]));
    const { url, reserved, idle } = await startFixture([pod.port]);
    const answers = await Promise.all([1, 2].map(() => post(url, chatBody(), { "x-request-id": "same" })));
    expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(["same", "same"]);
    await idle();
    expect(reserved()).toBe(0);
  });

  it.each(["GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND", "REPORT"])(
    "sends %s without a body to any endpoint, whatever the path",
    async (method) => {
      const pod = await startFakePod((_, response) => response.end(method === "HEAD" ? undefined : "hi"));
      const { url, driver } = await startFixture([pod.port]);
      for (const path of ["/", "/v1/models", "/%zz//a/../b?", "/%F0%9F%98%80"]) {
        const request = httpRequest(url, { method, path });
        request.end();
        const answer = await answerTo(request);
        expect([answer.statusCode, await text(answer)]).toEqual([200, method === "HEAD" ? "" : "hi"]);
      }
      expect(pod.requests.map((request) => request.url)).toEqual(["/", "/v1/models", "/%zz//a/../b?", "/%F0%9F%98%80"]);
      expect(driver.core.requestCount).toBe(0);
    },
  );

  it("takes a body of 1-byte chunks, and any path by the fallback parser", async () => {
    const pod = await startFakePod((_, response) => response.end("ok"));
    const { url } = await startFixture([pod.port]);
    const request = open(url);
    for (const byte of Buffer.from(chatBody("häppchen"))) request.write(Buffer.of(byte));
    request.end();
    expect(await text(await answerTo(request))).toBe("ok");
    expect(pod.requests[0].body).toBe(chatBody("häppchen"));
    const other = await post(url, "\u0000not json", {}, "/any/where");
    expect(await other.text()).toBe("ok");
    expect(pod.requests[1].body).toBe("\u0000not json");
  });

  it("rewrites the model for the pod and puts the client's name back, over the edges of chunks", async () => {
    const said = `data: {"model":"big","x":1}\n\ndata: {"model": "big"}\n\n`;
    const pod = await startFakePod((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const parts = [said.slice(0, 11), said.slice(11, 19), said.slice(19, 44), said.slice(44)];
      const next = () => {
        const part = parts.shift();
        if (part === undefined) response.end();
        else response.write(part, () => setImmediate(next));
      };
      next();
    });
    const { url } = await startFixture([pod.port]);
    const answer = await post(url, chatBody(), { "x-llm-d-model-name-rewrite": "big" });
    expect(await answer.text()).toBe(`data: {"model":"m","x":1}\n\ndata: {"model": "m"}\n\n`);
    expect(JSON.parse(pod.requests[0].body)).toEqual({ ...(JSON.parse(chatBody()) as object), model: "big" });
    expect(headerValues(pod.requests[0], "content-length")).toEqual([String(Buffer.byteLength(pod.requests[0].body))]);
  });

  it("puts the client's model name back into an answer with a length", async () => {
    const pod = await startFakePod((_, response) => {
      const body = `{"id":1,"model":"long-name-of-a-model"}`;
      response.writeHead(200, { "content-length": body.length }).end(body);
    });
    const { url } = await startFixture([pod.port]);
    const answer = await post(url, chatBody(), { "x-llm-d-model-name-rewrite": "long-name-of-a-model" });
    expect(await answer.json()).toEqual({ id: 1, model: "m" });
  });

  it("sends each piece of a stream on as it comes, headers first", async () => {
    let pod: { write(text: string): void; end(): void } | undefined;
    const server = await startFakePod((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      pod = response;
    });
    const { url } = await startFixture([server.port]);
    const request = open(url);
    request.end(chatBody("x", { stream: true }));
    const answer = await answerTo(request);
    // The pod has said nothing but its headers yet; each piece is written only when the one before has come out.
    for (const piece of ["data: 1\n\n", "data: 2\n\n"]) {
      pod!.write(piece);
      expect(String((await once(answer, "data"))[0])).toBe(piece);
    }
    pod!.end();
    await once(answer, "end");
  });

  it("lets a client that does not read slow the pod down", async () => {
    const total = 64 * 1024 * 1024;
    let written = 0;
    let wait: (() => void) | undefined;
    const stalled = new Promise<void>((resolve) => (wait = resolve));
    const pod = await startFakePod((_, response) => {
      const chunk = Buffer.alloc(64 * 1024, 120);
      const fill = () => {
        while (written < total) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once("drain", fill);
            // Stuck when nothing drains for a good many turns of the loop.
            const before = written;
            let turns = 0;
            const look = () => (written !== before ? undefined : ++turns > 2000 ? wait!() : setImmediate(look));
            look();
            return;
          }
        }
        response.end();
      };
      fill();
    });
    const { url } = await startFixture([pod.port]);
    const request = open(url);
    request.end(chatBody());
    const answer = await answerTo(request);
    answer.pause();
    await stalled;
    expect(written).toBeLessThan(total / 2);
    let read = 0;
    for await (const chunk of answer) read += (chunk as Buffer).length;
    expect(read).toBe(total);
  });
});

describe("a client that goes away", () => {
  it("while the pod answers: cancels the pod's request and tells the core", async () => {
    let cancelled: (() => void) | undefined;
    const podSaw = new Promise<void>((resolve) => (cancelled = resolve));
    const pod = await startFakePod((_, response) => {
      response.once("close", () => cancelled!());
      response.write("data: 1\n\n");
    });
    const { url, seen, reserved, driver } = await startFixture([pod.port]);
    const request = open(url);
    request.end(chatBody());
    await once(await answerTo(request), "data");
    request.destroy();
    await podSaw;
    await seen("requestEnded", "client-disconnect");
    expect([reserved(), driver.core.requestCount]).toEqual([0, 0]);
  });

  it("while the pod thinks: the same", async () => {
    let asked: (() => void) | undefined;
    const podAsked = new Promise<void>((resolve) => (asked = resolve));
    let closed: (() => void) | undefined;
    const podClosed = new Promise<void>((resolve) => (closed = resolve));
    const pod = await startFakePod((_, response) => {
      response.once("close", () => closed!());
      asked!();
    });
    const { url, seen, reserved, gateway } = await startFixture([pod.port]);
    const request = open(url);
    request.end(chatBody());
    await podAsked;
    request.destroy();
    await podClosed;
    await seen("requestEnded", "client-disconnect");
    expect([reserved(), gateway.bodyBytesInFlight]).toEqual([0, 0]);
  });

  it("in the middle of its body: gives the bytes back, and the core never hears of it", async () => {
    const { url, events, gateway, idle } = await startFixture([]);
    const request = open(url, { "content-length": "1000" });
    request.write("x".repeat(500));
    while (gateway.bodyBytesInFlight !== 500) await new Promise((resolve) => setImmediate(resolve));
    request.destroy();
    await idle();
    expect(gateway.bodyBytesInFlight).toBe(0);
    expect(events.map(({ type }) => type)).toEqual(["configLoaded"]);
  });

  it("while it is parked in the core: the same", async () => {
    const parks = { produce: () => ({ kind: "never", payload: null, timeoutUs: 60_000_000 }) };
    const pod = await startFakePod((_, response) => response.end());
    const { url, seen, driver } = await startFixture([pod.port], { extra: [parks] });
    const request = open(url);
    request.end(chatBody());
    await seen("requestArrived");
    request.destroy();
    await seen("requestEnded", "client-disconnect");
    expect(driver.core.requestCount).toBe(0);
    expect(pod.requests).toEqual([]);
  });
});

describe("what a gateway refuses", () => {
  it.each([
    ["a body over its limit that says its length", { "content-length": "2000" }],
    ["a body over its limit that does not", { "transfer-encoding": "chunked" }],
  ])("%s gets 413", async (_name, headers) => {
    const { url, gateway, idle } = await startFixture([], { limits: { bodyBytesMax: 1000 } });
    const request = open(url, headers);
    request.write("y".repeat(1500));
    const answer = await answerTo(request);
    expect(answer.statusCode).toBe(413);
    expect(await text(answer)).toBe(
      "inference error: PayloadTooLarge - cannot take the request body: it is larger than 1000 bytes, the most that is allowed (bodyBytesMax)",
    );
    request.destroy();
    await idle();
    expect(gateway.bodyBytesInFlight).toBe(0);
  });

  it("a body of exactly the limit is taken", async () => {
    const pod = await startFakePod((_, response) => response.end("ok"));
    const { url } = await startFixture([pod.port], { limits: { bodyBytesMax: chatBody().length } });
    expect((await post(url, chatBody())).status).toBe(200);
    expect((await post(url, `${chatBody()} `)).status).toBe(413);
  });

  it("bodies beyond what may be in flight get 503 with the reason", async () => {
    const { url, gateway } = await startFixture([], { limits: { bodyBytesInFlightMax: 1000 } });
    const first = open(url, { "content-length": "900" });
    first.write("z".repeat(800));
    while (gateway.bodyBytesInFlight !== 800) await new Promise((resolve) => setImmediate(resolve));
    const answer = await post(url, "z".repeat(300));
    expect([answer.status, answer.headers.get("x-llm-d-request-dropped-reason")]).toEqual([503, "rejected-saturated"]);
    expect(await answer.text()).toContain("bodyBytesInFlightMax");
    first.destroy();
  });

  it("requests beyond requestsMax get 503", async () => {
    const pod = await startFakePod(() => undefined);
    const { url, seen } = await startFixture([pod.port], { limits: { requestsMax: 1 } });
    const first = open(url);
    first.end(chatBody());
    await seen("requestArrived");
    const answer = await post(url, chatBody());
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain("requestsMax");
    first.destroy();
  });

  it("without an endpoint: 503 in the stock's words, and 500 without a body", async () => {
    const { url } = await startFixture([]);
    const answer = await post(url, chatBody());
    expect([answer.status, answer.headers.get("x-llm-d-request-dropped-reason"), await answer.text()]).toEqual([
      503,
      "rejected-no-endpoints",
      "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request",
    ]);
    const bodyless = await fetch(`${url}/v1/models`);
    expect([bodyless.status, await bodyless.text()]).toEqual([
      500,
      "inference error: Internal - no pods available in datastore",
    ]);
  });

  it.each([
    ["broken JSON", "{nope", "error unmarshaling request bodyMap: "],
    ["no messages", `{"model":"m"}`, "invalid chat completions request: must have valid messages field"],
    ["no model", `{"messages":[{"role":"user","content":"x"}]}`, "model not found in request body"],
  ])("%s gets 400", async (_name, body, message) => {
    const { url, gateway, idle } = await startFixture([1]);
    const answer = await post(url, body);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(`inference error: BadRequest - ${message}`);
    await idle();
    expect(gateway.bodyBytesInFlight).toBe(0);
  });

  it("headers over their limit get 431, and what is no HTTP gets 400", async () => {
    const { url } = await startFixture([], { limits: { headerBytesMax: 2048 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.end(`GET / HTTP/1.1\r\nhost: x\r\nx-big: ${"b".repeat(4000)}\r\n\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1.1 431 /);
    const other = connect(Number(new URL(url).port), "127.0.0.1");
    other.end("what is this?\r\n\r\n");
    expect(await text(other)).toMatch(/^HTTP\/1.1 400 /);
  });

  it("headers that do not come in time get 408", async () => {
    const { url } = await startFixture([], { limits: { headersTimeoutMs: 50 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ");
    expect(await text(socket)).toMatch(/^HTTP\/1.1 408 /);
  });

  it("a header without a value is no reason to refuse", async () => {
    const pod = await startFakePod((_, response) => response.end("ok"));
    const { url } = await startFixture([pod.port]);
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nx-empty:\r\nx-request-id:\r\nconnection: close\r\ncontent-length: ${chatBody().length}\r\n\r\n${chatBody()}`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /);
    expect(headerValues(pod.requests[0], "x-empty")).toEqual([""]);
    expect(headerValues(pod.requests[0], "x-request-id")[0]).toHaveLength(36);
  });
});

describe("stopping a gateway", () => {
  it("lets running requests end, refuses new connections, and ends kept ones after their answer", async () => {
    let asked: ((answer: () => void) => void) | undefined;
    const podAsked = new Promise<() => void>((resolve) => (asked = resolve));
    const pod = await startFakePod((_, response) => asked!(() => response.end("late")));
    const { url, gateway, seen } = await startFixture([pod.port]);
    const running = open(url);
    running.end(chatBody());
    await seen("requestArrived");
    const answer = await podAsked;
    const stopped = gateway.stop(30_000);
    await expect(fetch(url)).rejects.toThrow("fetch failed");
    answer();
    const response = await answerTo(running);
    expect([await text(response), response.headers.connection]).toEqual(["late", "close"]);
    expect(await stopped).toBe(0);
  });

  it("breaks off what still runs after the time to drain, and says how many", async () => {
    const pod = await startFakePod((_, response) => response.write("part"));
    const { url, gateway, seen, reserved } = await startFixture([pod.port]);
    const request = open(url);
    request.end(chatBody());
    const response = await answerTo(request);
    await once(response, "data");
    expect(await gateway.stop(0)).toBe(1);
    await expect(text(response)).rejects.toThrow("aborted");
    await seen("requestEnded", "error");
    expect(reserved()).toBe(0);
  });

  it("loses no request of a load that goes on over kept connections", async () => {
    const pod = await startFakePod((_, response) => setImmediate(() => response.end("ok")));
    const { url, gateway, idle } = await startFixture([pod.port]);
    let answered = 0;
    let refused = 0;
    let stopping: Promise<number> | undefined;
    const worker = async (): Promise<void> => {
      while (refused < 8) {
        try {
          const response = await post(url, chatBody());
          expect([response.status, await response.text()]).toEqual([200, "ok"]);
          if (++answered === 100) stopping = gateway.stop(30_000);
        } catch (error) {
          // Only a connection that was never taken may fail.
          expect((error as { cause?: { code?: string } }).cause?.code).toBe("ECONNREFUSED");
          refused++;
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(await stopping).toBe(0);
    await idle();
    expect(answered).toBe(pod.requests.length);
    expect(answered).toBeGreaterThanOrEqual(100);
  });
});

describe("JSON errors of a gateway", () => {
  it("name the cause in the shape of the API", async () => {
    const pod = await startFakePod((_, response) => void response.destroy());
    const { url } = await startFixture([pod.port], { limits: { retriesMax: 0 } });
    const answer = await post(url, chatBody());
    expect(answer.status).toBe(502);
    expect(await json(answer.body!)).toEqual({
      error: { message: "Cannot get an answer from a pod: other side closed", type: "bad_gateway", code: 502 },
    });
  });
});
