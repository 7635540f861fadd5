import { connect } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { eventsOf } from "../test-support/captures.ts";
import { FROZEN_STEP, get, post, startTinyPod, until, withTakenPort } from "../test-support/small-pod.ts";
import type { Pod } from "./pod.ts";
import { podSettings, startPods, type PodsOptions } from "./start-pods.ts";

let open: Pod[] = [];
const start = async (options: PodsOptions = {}): Promise<Pod> => {
  const pod = await startTinyPod(options);
  open.push(pod);
  return pod;
};
afterEach(async () => {
  await Promise.all(open.map((pod) => pod.stop()));
  open = [];
});

interface ChatBody {
  readonly id: string;
  readonly choices: readonly { readonly message: { readonly content: string }; readonly finish_reason: string }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly sim: { readonly ttft_ms: number; readonly e2e_ms: number; readonly queue_ms: number; readonly pod: string };
}
const chat = async (pod: Pod, body: object, headers: Record<string, string> = {}): Promise<ChatBody> =>
  JSON.parse((await post(pod, "/v1/chat/completions", body, headers)).text) as ChatBody;
const WORDS = "tide and table of the harbour ".repeat(20);

describe("a conversation", () => {
  it("hits its earlier prompt and answer when the answer comes back as a message", async () => {
    const pod = await start({ blockSizeTokens: 16, engine: { gpuBlocks: 200 } });
    const messages = [{ role: "user", content: WORDS }];
    const first = await chat(pod, { messages, max_tokens: 100, ignore_eos: true });
    expect(first.usage.prompt_tokens_details.cached_tokens).toBe(0);
    messages.push({ role: "assistant", content: first.choices[0].message.content }, { role: "user", content: "And?" });
    const second = await chat(pod, { messages, max_tokens: 1 });
    // All but the last generated token were computed; only full blocks are kept.
    const known = first.usage.prompt_tokens + 100 - 1;
    expect(second.usage.prompt_tokens_details.cached_tokens).toBe(known - (known % 16));
  });

  it("hits an answer that ended by itself, over its end", async () => {
    const pod = await start({
      blockSizeTokens: 1,
      engine: { gpuBlocks: 3000 },
      naturalTokensMin: 20,
      naturalTokensMax: 30,
    });
    const messages = [{ role: "user", content: WORDS }];
    const first = await chat(pod, { messages });
    expect(first.choices[0].finish_reason).toBe("stop");
    const tokens = JSON.parse((await post(pod, "/tokenize", { prompt: first.choices[0].message.content })).text) as {
      count: number;
    };
    messages.push({ role: "assistant", content: first.choices[0].message.content }, { role: "user", content: "And?" });
    const second = await chat(pod, { messages, max_tokens: 1 });
    expect(second.usage.prompt_tokens_details.cached_tokens).toBe(first.usage.prompt_tokens + tokens.count);
  });

  it("does not hit another adapter's, another salt's, or a pod's that does not cache", async () => {
    const pod = await start({ loraAdapters: ["tides"] });
    const body = { messages: [{ role: "user", content: WORDS }], max_tokens: 1 };
    const cached = async (more: object): Promise<number> =>
      (await chat(pod, { ...body, ...more })).usage.prompt_tokens_details.cached_tokens;
    expect(await cached({})).toBe(0);
    expect(await cached({ model: "tides" })).toBe(0);
    expect(await cached({ cache_salt: "a" })).toBe(0);
    expect(
      [await cached({}), await cached({ model: "tides" }), await cached({ cache_salt: "a" })].every((n) => n > 0),
    ).toBe(true);
    const without = await start({ engine: { prefixCaching: false } });
    await chat(without, body);
    expect((await chat(without, body)).usage.prompt_tokens_details.cached_tokens).toBe(0);
  });

  it("is answered alike by pods of one seed, and otherwise by another seed's", async () => {
    const body = { messages: [{ role: "user", content: WORDS }], max_tokens: 30 };
    const texts = await Promise.all(
      [1, 1, 2].map(async (seed) => (await chat(await start({ seed }), body)).choices[0].message.content),
    );
    expect([texts[0] === texts[1], texts[0] === texts[2]]).toEqual([true, false]);
  });
});

describe("time", () => {
  it("to the first token is told in model time, exactly the engine's, at any time scale", async () => {
    const stepTime = { aUs: 5000, bUs: 100, qUs: 0, cUs: 0, dUs: 0 };
    for (const timeScale of [0.01, 0.5]) {
      const pod = await start({ timeScale, engine: { stepTime } });
      const body = { messages: [{ role: "user", content: WORDS }], max_tokens: 3 };
      const answer = await chat(pod, body, { "x-sim-report": "1" });
      const ttftMs = 5 + answer.usage.prompt_tokens / 10;
      expect(answer.sim).toMatchObject({ pod: "pod-0", queue_ms: 0, ttft_ms: ttftMs, e2e_ms: ttftMs + 10 });
    }
  });

  it("is none at time scale 0", async () => {
    const pod = await start();
    const body = { messages: [{ role: "user", content: WORDS }], max_tokens: 3 };
    expect((await chat(pod, body, { "x-sim-report": "1" })).sim).toMatchObject({ ttft_ms: 0, e2e_ms: 0 });
  });

  it("is reported in the last chunk of a stream, with usage and without", async () => {
    const pod = await start();
    for (const stream_options of [{ include_usage: true }, undefined]) {
      const body = { messages: [], max_tokens: 3, stream: true, stream_options };
      const answer = await post(pod, "/v1/chat/completions", body, { "x-sim-report": "1" });
      const events = eventsOf(answer.text) as { sim?: object }[];
      expect(events.map((event) => event.sim !== undefined)).toEqual(events.map((_, i) => i === events.length - 1));
      expect(answer.headers.get("x-served-by")).toBe("pod-0");
    }
  });

  it("scales out of range are refused", async () => {
    await expect(startPods({ timeScale: -1 })).rejects.toThrow("Cannot use time scale -1: allowed are 0");
  });
});

describe("bad requests", () => {
  it.each([
    ["/v1/chat/completions", {}, 400, "body.messages"],
    ["/v1/chat/completions", { messages: "hi" }, 400, "body.messages"],
    ["/v1/chat/completions", { messages: [{ content: "x" }] }, 400, "body.messages.0.role"],
    ["/v1/chat/completions", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }, 400, null],
    ["/v1/chat/completions", [], 400, "body"],
    ["/v1/completions", {}, 400, "prompt"],
    ["/v1/completions", { prompt: "" }, 400, "prompt"],
    ["/v1/completions", { prompt: ["a", "b"] }, 400, "prompt"],
    ["/v1/completions", { prompt: [1, -2] }, 400, "prompt"],
    ["/v1/completions", { prompt: "a", max_tokens: 0 }, 400, "max_tokens"],
    ["/v1/completions", { prompt: "a", max_tokens: "9" }, 400, "body.max_tokens"],
    ["/v1/completions", { prompt: "a", stream: 1 }, 400, "body.stream"],
    ["/v1/completions", { prompt: "a", stream_options: {} }, 400, "stream_options"],
    ["/v1/completions", { prompt: "a", n: 2 }, 400, "n"],
    ["/v1/completions", { prompt: "a", cache_salt: "" }, 400, "cache_salt"],
    ["/v1/completions", { prompt: "word ".repeat(2100) }, 400, "input_tokens"],
    ["/v1/completions", { prompt: "word ".repeat(1000), max_tokens: 2000 }, 400, "input_tokens"],
    ["/v1/completions", { prompt: "a", model: "other" }, 404, "model"],
    ["/v1/completions", { prompt: "a", model: 7 }, 400, "body.model"],
  ])("%s %j are answered %d", async (path, body, status, param) => {
    const pod = await start();
    const answer = await post(pod, path, body);
    const { error } = JSON.parse(answer.text) as { error: { code: number; param: string | null; message: string } };
    expect([answer.status, error.code, error.param]).toEqual([status, status, param]);
    expect(error.message).not.toBe("");
  });

  it("of an unknown path are answered 404, of a wrong method 405, as FastAPI does", async () => {
    const pod = await start();
    expect([(await get(pod, "/nowhere")).status, (await get(pod, "/nowhere")).text]).toEqual([
      404,
      '{"detail":"Not Found"}',
    ]);
    expect((await get(pod, "/v1/completions")).status).toBe(405);
  });

  it("with a longer body than the limit are answered 413, told by its length or found on the way", async () => {
    const pod = await start({ bodyBytesMax: 1000 });
    const long = JSON.stringify({ prompt: "x".repeat(2000) });
    expect((await post(pod, "/v1/completions", long)).status).toBe(413);
    const chunked = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(new TextEncoder().encode("x".repeat(100)));
        controller.close();
      },
    });
    const init = { method: "POST", body: chunked, duplex: "half" } as RequestInit;
    expect((await fetch(`${pod.url}/v1/completions`, init)).status).toBe(413);
    expect((await post(pod, "/v1/completions", { prompt: "x" })).status).toBe(200);
  });

  it("beyond the number that may be open are answered 503 and counted", async () => {
    const pod = await start({ timeScale: 1, engine: { requestsMax: 1, stepTime: FROZEN_STEP } });
    const abort = new AbortController();
    const body = JSON.stringify({ prompt: "x", stream: true });
    await fetch(`${pod.url}/v1/completions`, { method: "POST", body, signal: abort.signal });
    const refused = await post(pod, "/v1/completions", { prompt: "x" });
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining("1 requests wait or run already")]);
    expect((await get(pod, "/metrics")).text).toContain('model_name="tiny-llama",reason="max_num_queued_reqs"} 1.0');
    abort.abort();
  });
});

describe("clients", () => {
  it("that go away end their request in the engine, streamed or not", async () => {
    const pod = await start({ timeScale: 1, engine: { stepTime: FROZEN_STEP } });
    for (const stream of [true, false]) {
      const abort = new AbortController();
      const body = JSON.stringify({ prompt: WORDS, max_tokens: 100, stream });
      const answer = fetch(`${pod.url}/v1/completions`, { method: "POST", body, signal: abort.signal }).catch(() => {});
      await until(() => pod.signals().runningRequests + pod.signals().waitingRequests === 1);
      abort.abort();
      await answer;
      await until(() => pod.signals().runningRequests + pod.signals().waitingRequests === 0);
      expect(pod.signals().freeBlocks).toBe(pod.signals().usableBlocks);
    }
    expect((await get(pod, "/metrics")).text).toContain('finished_reason="abort",model_name="tiny-llama"} 2.0');
  });

  it("with the same request id are both served", async () => {
    const pod = await start({ timeScale: 0.01 });
    const body = { messages: [{ role: "user", content: WORDS }], max_tokens: 50 };
    const answers = await Promise.all([1, 2].map(() => chat(pod, body, { "x-request-id": "twin" })));
    expect(answers.map((answer) => answer.id)).toEqual(["chatcmpl-twin", "chatcmpl-twin"]);
  });

  it("that send their request byte by byte are served", async () => {
    const pod = await start();
    const socket = connect(pod.port, pod.host);
    socket.setNoDelay(true);
    const body = '{"prompt":"hi","max_tokens":2}';
    const text = `POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    for (const byte of text) {
      if (!socket.write(byte)) await once(socket, "drain");
    }
    let answer = "";
    for await (const part of socket.setEncoding("utf8") as AsyncIterable<string>) answer += part;
    expect(answer).toContain("HTTP/1.1 200 OK");
  });

  it("that do not read get what came out meanwhile as one event, and miss nothing", async () => {
    const tokens = 40_000;
    const pod = await start({ engine: { gpuBlocks: 2000, modelLenTokensMax: 50_000 }, unsentBytesMax: 10_000 });
    const body = JSON.stringify({ prompt: "x", max_tokens: tokens, ignore_eos: true, stream: true });
    const whole = JSON.parse((await post(pod, "/v1/completions", body.replace(',"stream":true', ""))).text) as {
      choices: { text: string }[];
    };
    const socket = connect(pod.port, pod.host);
    socket.pause();
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => pod.signals().generatedTokens === 2 * tokens);
    let raw = "";
    for await (const part of socket.setEncoding("utf8") as AsyncIterable<string>) raw += part;
    const events = [...raw.matchAll(/^data: (\{.*\})$/gm)].map(
      (m) => JSON.parse(m[1]) as { choices: { text: string }[] },
    );
    expect(events.map((event) => event.choices[0].text).join("")).toBe(whole.choices[0].text);
    expect(events.length).toBeLessThan(tokens);
    expect(raw).toContain("data: [DONE]");
  });
});

describe("faults", () => {
  const metrics = (pod: Pod, ms = 20_000): Promise<Response> =>
    fetch(`${pod.url}/metrics`, { signal: AbortSignal.timeout(ms) });

  it("of metrics: an error, a reset, garbage, 10 MB, or no answer at all", async () => {
    const pod = await start();
    pod.faults = { metrics: "error" };
    expect((await metrics(pod)).status).toBe(500);
    pod.faults = { metrics: "reset" };
    await expect(metrics(pod)).rejects.toThrow("fetch failed");
    pod.faults = { metrics: "garbage" };
    expect(await (await metrics(pod)).text()).not.toContain("# HELP");
    pod.faults = { metrics: "huge" };
    expect((await (await metrics(pod)).arrayBuffer()).byteLength).toBeGreaterThan(10_000_000);
    pod.faults = { metrics: "hang" };
    await expect(metrics(pod, 50)).rejects.toThrow("timeout");
    pod.faults = {};
    expect((await metrics(pod)).status).toBe(200);
  });

  it("of requests: an error, a reset, or death in the middle of an answer, streamed or not", async () => {
    const pod = await start();
    const body = { prompt: "x", max_tokens: 50 };
    pod.faults = { requests: "error" };
    expect((await post(pod, "/v1/completions", body)).status).toBe(500);
    pod.faults = { requests: "reset" };
    await expect(post(pod, "/v1/completions", body)).rejects.toThrow("fetch failed");
    pod.faults = { requests: "die", dieAfterTokens: 4 };
    await expect(post(pod, "/v1/completions", body)).rejects.toThrow("terminated");
    const response = await fetch(`${pod.url}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ ...body, stream: true }),
    });
    let seen = "";
    const read = async (): Promise<void> => {
      for await (const part of response.body!.pipeThrough(new TextDecoderStream())) seen += part;
    };
    await expect(read()).rejects.toThrow("terminated");
    expect(seen.match(/^data: /gm)).toHaveLength(4);
    expect(pod.signals()).toMatchObject({ runningRequests: 0, waitingRequests: 0 });
  });

  it("are set and read over HTTP, and a wrong one is refused with what is allowed", async () => {
    const pod = await start();
    expect((await post(pod, "/sim/faults", { health: "error", metrics: null })).text).toBe('{"health":"error"}');
    expect((await get(pod, "/health")).status).toBe(503);
    expect((await get(pod, "/sim/faults")).text).toBe('{"health":"error"}');
    const wrong = await post(pod, "/sim/faults", { metrics: "explode" });
    expect([wrong.status, wrong.text]).toEqual([
      400,
      expect.stringContaining("metrics (hang, garbage, huge, error, reset)"),
    ]);
    await post(pod, "/sim/faults", {});
    expect((await get(pod, "/health")).status).toBe(200);
  });

  it("a pod that stopped listening refuses connections until it listens again, on the same port", async () => {
    const pod = await start();
    await pod.stopListening();
    await expect(get(pod, "/health")).rejects.toThrow("fetch failed");
    await pod.listen();
    expect((await get(pod, "/health")).status).toBe(200);
  });

  it("a pod that was asked to refuse for a while is back after it", async () => {
    const pod = await start();
    expect((await post(pod, "/sim/refuse", { forMs: 30 })).status).toBe(200);
    const healthy = (): Promise<boolean> =>
      get(pod, "/health").then(
        () => true,
        () => false,
      );
    await until(async () => !(await healthy()));
    await until(healthy);
    expect((await post(pod, "/sim/refuse", { forMs: 0 })).status).toBe(400);
  });
});

describe("block events", () => {
  it("tell the tokens of each block stored, and each removed", async () => {
    const stored: number[][] = [];
    const removed: string[] = [];
    const pod = await start({
      engine: { gpuBlocks: 65 },
      blockEvents: {
        blocksStored: (request, _, first, count) => {
          for (let i = first; i < first + count; i++) stored.push([...request.tokens.subarray(i * 32, i * 32 + 32)]);
        },
        blockRemoved: (_, lo, hi) => removed.push(`${lo}.${hi}`),
      },
    });
    const prompt = Array.from({ length: 70 }, (_, i) => 1000 + i);
    await post(pod, "/v1/completions", { prompt, max_tokens: 1 });
    expect(stored).toEqual([prompt.slice(0, 32), prompt.slice(32, 64)]);
    expect(removed).toEqual([]);
    await post(pod, "/v1/completions", {
      prompt: prompt.concat(...Array.from({ length: 30 }, () => prompt)).slice(5, 2040),
      max_tokens: 1,
    });
    expect(removed).toHaveLength(2);
  });
});

describe("a fleet", () => {
  it("starts as many pods as asked for, each with its name, and ends them all", async () => {
    const fleet = await startPods({ count: 3, timeScale: 0, namePrefix: "sim" });
    expect(fleet.pods.map((pod) => pod.name)).toEqual(["sim-0", "sim-1", "sim-2"]);
    expect(new Set(fleet.pods.map((pod) => pod.port)).size).toBe(3);
    for (const pod of fleet.pods) expect((await get(pod, "/health")).headers.get("x-served-by")).toBe(pod.name);
    await fleet.stop();
    for (const pod of fleet.pods) await expect(get(pod, "/health")).rejects.toThrow("fetch failed");
  });

  it("does not start when a port is taken, and leaves nothing behind", async () => {
    await withTakenPort(async (port) => {
      await expect(startPods({ count: 1, basePort: port })).rejects.toThrow(`Cannot open port ${port} on 127.0.0.1`);
    });
  });

  it("has the preset's engine, and says which presets there are when there is none", () => {
    expect(podSettings({}, "x").engine).toMatchObject({ gpuBlocks: 9376, blockSizeTokens: 16, seqsMax: 256 });
    expect(podSettings({ engine: { gpuBlocks: 11 } }, "x").engine.modelLenTokensMax).toBe(160);
    expect(() => podSettings({ gpu: "T4" }, "x")).toThrow(
      "Cannot find a preset for Qwen3-0.6B on T4: known are Qwen3-0.6B on L4,",
    );
  });
});
