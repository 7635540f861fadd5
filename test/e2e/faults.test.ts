import { once } from "node:events";
import { readFileSync, writeFileSync, rmSync, readdirSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { describeWithEnvoy } from "../support/envoy.ts";
import { startStack, type Stack } from "../support/stack.ts";

const MODEL = "Qwen3-0.6B";
const completion = (more: object = {}) =>
  JSON.stringify({ model: MODEL, prompt: "once upon a time", max_tokens: 8, ...more });

async function post(stack: Stack, body: string, headers: Record<string, string> = {}, path = "/v1/completions") {
  const response = await fetch(stack.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** A request whose bytes are written as the test wants. */
function rawPost(stack: Stack, length: number, headers: Record<string, string> = {}) {
  const { hostname, port } = new URL(stack.url);
  return httpRequest({
    hostname,
    port,
    method: "POST",
    path: "/v1/completions",
    headers: { "content-type": "application/json", "content-length": length, ...headers },
  });
}

const rssMb = (stack: Stack) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stack.epp.child.pid}/status`, "utf8"))![1]) / 1024;

describeWithEnvoy("through a real Envoy, the picker", () => {
  it("answers broken and incomplete bodies in the stock's words, and serves the next request", async () => {
    const stack = await startStack();
    const cases: readonly [body: string, status: number, text: RegExp][] = [
      ["{", 400, /^inference error: BadRequest - error unmarshaling request bodyMap: /],
      [
        '{"model": "m", "prompt": "x"} trailing',
        400,
        /^inference error: BadRequest - error unmarshaling request bodyMap: /,
      ],
      ['{"prompt": "x"}', 400, /^inference error: BadRequest - model not found in request body$/],
      ['{"model": "m"}', 400, /^inference error: BadRequest - invalid completions request: must have prompt field$/],
      ["x", 400, /^inference error: BadRequest - /],
    ];
    for (const [body, status, text] of cases) {
      const answer = await post(stack, body);
      expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(text)]);
    }
    expect((await post(stack, completion())).status).toBe(200);
    await stack.untilQuiet();
  });

  it.each([
    ["62,000 bytes", 62_000],
    ["62,001 bytes", 62_001],
    ["2 MB", 2_000_000],
  ])("serves a body of %s, chat and completions, streamed and not", async (_, bytes) => {
    const stack = await startStack({ pods: { engine: { modelLenTokensMax: 1_000_000, gpuBlocks: 100_000 } } });
    for (const stream of [false, true]) {
      for (const chat of [false, true]) {
        const bare = {
          model: MODEL,
          max_tokens: 4,
          stream,
          ...(chat ? { messages: [{ role: "user", content: "" }] } : { prompt: "" }),
        };
        const padding = bytes - JSON.stringify(bare).length;
        const text = "lorem ipsum ".repeat(Math.ceil(padding / 12)).slice(0, padding);
        const body = JSON.stringify(
          chat ? { ...bare, messages: [{ role: "user", content: text }] } : { ...bare, prompt: text },
        );
        expect(body.length).toBe(bytes);
        const answer = await post(stack, body, {}, chat ? "/v1/chat/completions" : "/v1/completions");
        expect([answer.status, answer.text.slice(0, 200)]).toEqual([200, expect.any(String)]);
        expect(answer.text).toContain(stream ? "data: [DONE]" : '"usage"');
      }
    }
    await stack.untilQuiet();
  });

  it("answers 413 to a body over --body-bytes-max, without holding it", async () => {
    const stack = await startStack({ flags: ["--body-bytes-max=10000"] });
    const answer = await post(stack, completion({ prompt: "x".repeat(20_000) }));
    expect(answer.status).toBe(413);
    expect(answer.text).toContain("10000");
    expect((await post(stack, completion({ prompt: "x".repeat(5_000) }))).status).toBe(200);
    await stack.untilQuiet();
  });

  it("answers 503 to the stream that crosses --body-bytes-in-flight-max, and no other", async () => {
    const stack = await startStack({ flags: ["--body-bytes-in-flight-max=300000"] });
    const open = rawPost(stack, 400_000);
    open.write("x".repeat(250_000));
    const opened = once(open, "response") as Promise<[IncomingMessage]>;
    opened.catch(() => undefined);
    await expect
      .poll(() => stack.metric("warmpath_body_bytes_in_flight"), { timeout: 5000 })
      .toBeGreaterThanOrEqual(200_000);
    expect((await post(stack, completion({ prompt: "x".repeat(120_000) }))).status).toBe(503);
    expect((await post(stack, completion())).status).toBe(200);
    open.destroy();
    await stack.untilQuiet();
  });

  it("takes a body in chunks of one byte", async () => {
    const stack = await startStack();
    const body = completion();
    const request = rawPost(stack, body.length);
    request.setNoDelay(true);
    const response = once(request, "response") as Promise<[IncomingMessage]>;
    for (const byte of body) {
      if (!request.write(byte)) await once(request, "drain");
    }
    request.end();
    const [answer] = await response;
    expect(answer.statusCode).toBe(200);
    answer.resume();
    await once(answer, "end");
    await stack.untilQuiet();
  });

  it("takes a header without a value, and passes an unknown path on", async () => {
    const stack = await startStack();
    expect((await post(stack, completion(), { "x-empty": "", "x-request-id": "" })).status).toBe(200);
    const unknown = await post(stack, "any bytes", {}, "/nothing/here");
    expect(unknown.status).toBe(404);
    expect(unknown.headers.get("x-served-by")).toMatch(/^pod-/);
    // Its body has no prompt to tokenise: as stock, the producers fail and the request goes on.
    await stack.untilQuiet({ pluginFailures: 1 });
  });

  it("keeps two streams with one request id apart", async () => {
    const stack = await startStack({ pods: { timeScale: 0.02 } });
    const same = { "x-request-id": "twice" };
    const answers = await Promise.all([1, 2, 3, 4].map(() => post(stack, completion({ max_tokens: 50 }), same)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await stack.untilQuiet();
  });

  it("gives everything back when clients go away in the middle of either direction", async () => {
    const stack = await startStack({ pods: { timeScale: 0.2 } });
    // While the body is being sent.
    const half = rawPost(stack, 100_000);
    half.on("error", () => undefined);
    half.write("{".repeat(50_000));
    await expect
      .poll(() => stack.metric("warmpath_body_bytes_in_flight"), { timeout: 5000 })
      .toBeGreaterThanOrEqual(50_000);
    half.destroy();
    // While the answer comes.
    const aborts = Array.from({ length: 10 }, async () => {
      const controller = new AbortController();
      const response = await fetch(`${stack.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: completion({ stream: true, max_tokens: 400 }),
        signal: controller.signal,
      });
      const reader = response.body!.getReader();
      await reader.read();
      controller.abort();
      await reader.closed.catch(() => undefined);
    });
    await Promise.all(aborts);
    await stack.untilQuiet();
    expect(await stack.metric("warmpath_body_bytes_in_flight")).toBe(0);
    expect((await post(stack, completion())).status).toBe(200);
  });

  it("serves on while pods hang, answer garbage or 10 MB of metrics, in bounded memory", async () => {
    const stack = await startStack({ pods: { count: 4 } });
    await stack.fault(0, { metrics: "hang" });
    await stack.fault(1, { metrics: "garbage" });
    await stack.fault(2, { metrics: "huge" });
    for (let i = 0; i < 200; i++) expect((await post(stack, completion({ prompt: `prompt ${i}` }))).status).toBe(200);
    expect(rssMb(stack)).toBeLessThan(400);
    for (const pod of [0, 1, 2]) await stack.fault(pod, {});
    await expect.poll(() => stack.metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 15_000 }).toBe(4);
    await stack.untilQuiet();
  });

  it("follows the endpoints file: emptied, broken, missing, back again", async () => {
    const stack = await startStack({ watchFile: true });
    const full = readFileSync(stack.endpointsFile, "utf8");
    const get = async () => (await fetch(`${stack.url}/health`)).status;
    expect((await post(stack, completion())).status).toBe(200);
    writeFileSync(stack.endpointsFile, "endpoints: []\n");
    await expect.poll(async () => (await post(stack, completion())).status, { timeout: 10_000 }).toBe(503);
    const refused = await post(stack, completion());
    expect(refused.text).toBe(
      "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request",
    );
    expect(refused.headers.get("x-llm-d-request-dropped-reason")).toBe("rejected-no-endpoints");
    expect(await get()).toBe(500);
    writeFileSync(stack.endpointsFile, full);
    await expect.poll(async () => (await post(stack, completion())).status, { timeout: 10_000 }).toBe(200);
    expect(await get()).toBe(200);
    // Broken or gone, the last endpoints stay.
    writeFileSync(stack.endpointsFile, "endpoints: [{");
    await stack.epp.line("endpoints");
    expect((await post(stack, completion())).status).toBe(200);
    rmSync(stack.endpointsFile);
    expect((await post(stack, completion())).status).toBe(200);
    writeFileSync(stack.endpointsFile, full.replace(/- name: pod-0[\s\S]*?(?=- name: pod-1)/, ""));
    await expect.poll(() => stack.metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 10_000 }).toBe(2);
    await stack.untilQuiet();
  });

  it("loses no request when it is stopped under load", async () => {
    const stack = await startStack({ pods: { timeScale: 0.02 }, flags: ["--drain-timeout=2s"] });
    const statuses: number[] = [];
    const load = { until: Number.POSITIVE_INFINITY };
    const client = async (n: number) => {
      for (let i = 0; i < load.until; i++) {
        statuses.push((await post(stack, completion({ prompt: `${n} ${i}`, max_tokens: 40 }))).status);
      }
    };
    const clients = Array.from({ length: 8 }, (_, n) => client(n));
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBeGreaterThan(20);
    stack.epp.child.kill("SIGTERM");
    await stack.epp.line('"draining"');
    const before = statuses.length;
    // The proxy has not heard of it yet: what comes now is served as well.
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBeGreaterThan(before + 8);
    load.until = 0;
    await Promise.all(clients);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(await stack.epp.exit).toBe(0);
  });

  it("never logs a prompt, and leaves no file behind", async () => {
    const stack = await startStack({ flags: ["-v=5"] });
    const canary = "canary-prompt-0f9e";
    await post(stack, completion({ prompt: canary }));
    await post(stack, `{"model": "m", "prompt": "${canary}"`);
    await stack.untilQuiet();
    expect([...stack.epp.stderr, ...stack.epp.stdout].join("\n")).not.toContain(canary);
    expect(readdirSync(stack.folder).sort()).toEqual(["config.yaml", "endpoints.yaml"]);
  });

  it("refuses garbage on its port and serves on", async () => {
    const stack = await startStack();
    const port = JSON.parse(stack.epp.stderr.find((line) => line.includes('"serving"'))!) as { grpcPort: number };
    const socket = connect(port.grpcPort, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("GET / HTTP/1.1\r\n\r\n".repeat(1000));
    await once(socket, "close");
    expect((await post(stack, completion())).status).toBe(200);
    await stack.untilQuiet();
  });
});
