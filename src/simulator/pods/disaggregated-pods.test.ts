import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { INSTANT_STEP_TIME } from "../engine/step-time.ts";
import { eventsOf } from "../test-support/captures.ts";
import {
  countsOf,
  postDisaggregated,
  series,
  startDisaggregatedPods,
  targetOf,
} from "../test-support/disaggregated-pods.ts";
import { FROZEN_STEP, post, until, withTakenPort } from "../test-support/small-pod.ts";
import type { Pod } from "./pod.ts";

const WORDS = "tide and table of the harbour ".repeat(20);
const BODY = { prompt: WORDS, max_tokens: 40, ignore_eos: true };

interface Body {
  readonly choices: readonly { readonly text: string }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
  readonly kv_transfer_params: Record<string, unknown> | null;
  readonly sim: { readonly ttft_ms: number; readonly fetched_tokens: number; readonly cached_tokens: number };
}
const bodyOf = (answer: { text: string }): Body => JSON.parse(answer.text) as Body;
const textOf = (answer: { text: string }): string => bodyOf(answer).choices[0].text;
const freeOf = (pod: Pod): boolean => pod.signals().freeBlocks === pod.signals().usableBlocks;

describe("a prefill pod and a decode pod behind its side-car", () => {
  it("compute the prompt on the one, the answer on the other, as one pod alone would, and leave nothing held", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const alone = textOf(await post(decode, "/v1/completions", { ...BODY, cache_salt: "alone" }));
    const answer = await postDisaggregated(decode, prefill, "/v1/completions", BODY, { "x-sim-report": "1" });
    expect([answer.status, answer.headers.get("x-served-by"), textOf(answer)]).toEqual([200, decode.name, alone]);
    const { usage, sim, kv_transfer_params } = bodyOf(answer);
    expect(sim.fetched_tokens).toBe(usage.prompt_tokens - 1);
    // The client sees what was cached where the prompt was computed.
    expect(usage.prompt_tokens_details.cached_tokens).toBe(0);
    expect(kv_transfer_params).toBeNull();
    await until(() => freeOf(prefill));
    expect(await series(prefill, "vllm:prompt_tokens_by_source_total", "local_compute")).toBe(usage.prompt_tokens);
    expect(await series(decode, "vllm:prompt_tokens_by_source_total", "external_kv_transfer")).toBe(
      usage.prompt_tokens - 1,
    );
    expect(await series(decode, "vllm:external_prefix_cache_hits_total")).toBe(usage.prompt_tokens - 1);
    expect(await series(decode, "sim:remote_prefills_total", "fetched")).toBe(1);
    expect(await series(prefill, "sim:held_prefills_total", "released")).toBe(1);
    expect(await series(decode, "vllm:nixl_bytes_transferred_sum")).toBe(
      Math.ceil(usage.prompt_tokens / 16) * 16 * 114_688,
    );
    expect((await countsOf(decode)).sidecar).toMatchObject({ disaggregated: 1, decodeOnly: 1 });
  });

  it("stream the same text", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const messages = [{ role: "user", content: WORDS }];
    const whole = await post(decode, "/v1/chat/completions", { messages, max_tokens: 40, cache_salt: "x" });
    const streamed = await postDisaggregated(decode, prefill, "/v1/chat/completions", {
      messages,
      max_tokens: 40,
      min_tokens: 5,
      stream: true,
      stream_options: { include_usage: true },
    });
    const events = eventsOf(streamed.text) as {
      choices: { delta: { content: string } }[];
      usage?: { prompt_tokens_details: { cached_tokens: number } };
    }[];
    const { choices } = JSON.parse(whole.text) as { choices: { message: { content: string } }[] };
    expect(events.map((event) => event.choices[0]?.delta.content ?? "").join("")).toBe(choices[0].message.content);
    expect(events.at(-1)!.usage!.prompt_tokens_details.cached_tokens).toBe(0);
    expect(streamed.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1 });
    await until(() => freeOf(prefill) && freeOf(decode));
  });

  it("fetch only what the decode pod has not, and tell the client the prefill pod's cached tokens", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const first = bodyOf(await postDisaggregated(decode, prefill, "/v1/completions", BODY));
    const again = bodyOf(await postDisaggregated(decode, prefill, "/v1/completions", BODY, { "x-sim-report": "1" }));
    const full = first.usage.prompt_tokens - 1 - ((first.usage.prompt_tokens - 1) % 16);
    expect(again.sim).toMatchObject({ cached_tokens: full, fetched_tokens: first.usage.prompt_tokens - 1 - full });
    expect(again.usage.prompt_tokens_details.cached_tokens).toBe(full);
  });

  it("take the time of prefill, transfer and one decode step, in model time", async () => {
    const stepTime = { aUs: 5000, bUs: 100, qUs: 0, cUs: 0, dUs: 0 };
    const kvTransfer = { bytesPerSecond: 1e9, latencyUs: 2000, bytesPerToken: 1e5 };
    const { prefill, decode } = await startDisaggregatedPods({ timeScale: 0.2, engine: { stepTime }, kvTransfer });
    const answer = bodyOf(await postDisaggregated(decode, prefill, "/v1/completions", BODY, { "x-sim-report": "1" }));
    const blocks = Math.ceil(answer.usage.prompt_tokens / 16);
    const transferMs = 2 + (blocks * 16 * 1e5) / 1e6;
    // The decode pod's own time: transfer, and a step for the prompt's last token; more only for HTTP and timers.
    expect(answer.sim.ttft_ms).toBeGreaterThanOrEqual(transferMs + 5.1);
    expect(await series(decode, "vllm:nixl_xfer_time_seconds_sum")).toBeGreaterThanOrEqual(transferMs / 1000);
    expect(await series(decode, "vllm:request_prefill_time_seconds_sum")).toBeCloseTo(0.0051, 6);
  });
});

describe("a decode pod", () => {
  const remote = {
    do_remote_prefill: true,
    remote_engine_id: "none",
    remote_request_id: "r",
    remote_host: "127.0.0.1",
    remote_port: 1,
    remote_block_ids: [[1]],
  };

  it.each([
    ["has no engine id", { remote_engine_id: undefined }],
    ["has no request id", { remote_request_id: null }],
    ["has no host", { remote_host: "" }],
    ["has a port that is none", { remote_port: 70_000 }],
    ["has no blocks", { remote_block_ids: [] }],
    ["has blocks that are none", { remote_block_ids: ["a"] }],
  ])("computes a prompt whose kv_transfer_params %s", async (_, wrong) => {
    const { decode } = await startDisaggregatedPods();
    const answer = await post(decode, "/v1/completions", { ...BODY, kv_transfer_params: { ...remote, ...wrong } });
    expect(answer.status).toBe(200);
    expect((await countsOf(decode)).fetches).toMatchObject({ incomplete: 1, fetched: 0, failed: 0 });
  });

  it("refuses kv_transfer_params that are no object", async () => {
    const { decode } = await startDisaggregatedPods();
    expect((await post(decode, "/v1/completions", { ...BODY, kv_transfer_params: [1] })).status).toBe(400);
  });

  it("computes a prompt of a peer that is not there, is another engine, or holds nothing, or other blocks, or another prompt", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const alone = textOf(await post(decode, "/v1/completions", { ...BODY, cache_salt: "alone" }));
    const held = bodyOf(
      await post(prefill, "/v1/completions", {
        ...BODY,
        max_tokens: 1,
        kv_transfer_params: { do_remote_decode: true },
      }),
    );
    const params = held.kv_transfer_params!;
    expect(params).toMatchObject({ do_remote_prefill: true, remote_host: "127.0.0.1", remote_port: prefill.port });
    const other = bodyOf(
      await post(prefill, "/v1/completions", {
        prompt: WORDS.replace("tide", "sand"),
        max_tokens: 1,
        kv_transfer_params: { do_remote_decode: true },
      }),
    );
    expect(other.usage.prompt_tokens).toBe(held.usage.prompt_tokens);
    await withTakenPort(async (port) => {
      const wrong = [
        { ...params, remote_port: port },
        { ...params, remote_engine_id: "another" },
        { ...params, remote_request_id: "unknown" },
        { ...params, remote_block_ids: [[9999]] },
        other.kv_transfer_params,
      ];
      for (const [i, kv_transfer_params] of wrong.entries()) {
        const answer = await post(decode, "/v1/completions", { ...BODY, kv_transfer_params });
        expect([answer.status, textOf(answer)]).toEqual([200, alone]);
        expect((await countsOf(decode)).fetches).toMatchObject({ failed: i + 1, fetched: 0 });
      }
      expect(await series(decode, "vllm:nixl_num_failed_transfers_total")).toBe(wrong.length);
    });
    // Nothing was wrong with the first one.
    await post(decode, "/v1/completions", { ...BODY, kv_transfer_params: params });
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1 });
  });

  it("answers 500 when a fetch fails and it is told not to compute", async () => {
    const { decode } = await startDisaggregatedPods({ kvTransfer: { loadFailure: "fail" } });
    const answer = await post(decode, "/v1/completions", { ...BODY, kv_transfer_params: remote });
    expect([answer.status, answer.text]).toEqual([500, expect.stringContaining("could not be loaded")]);
    expect(freeOf(decode)).toBe(true);
    expect(await series(decode, "vllm:request_success_total", "error")).toBe(1);
  });

  it("does not take blocks twice, nor blocks of the pod's earlier life", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const hold = async () =>
      bodyOf(
        await post(prefill, "/v1/completions", {
          ...BODY,
          max_tokens: 1,
          kv_transfer_params: { do_remote_decode: true },
        }),
      ).kv_transfer_params;
    const kv_transfer_params = await hold();
    await post(decode, "/v1/completions", { ...BODY, kv_transfer_params });
    await until(() => freeOf(prefill));
    await post(decode, "/v1/completions", { ...BODY, kv_transfer_params });
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1, failed: 1 });
  });

  it("computes prompts beyond the transfers that may be under way, and lets their peers go", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ kvTransfer: { transfersMax: 1 } });
    const port = await openSilentPort();
    const abort = new AbortController();
    const kv_transfer_params = { ...remote, remote_port: port };
    const stuck = streamed(decode, { ...BODY, kv_transfer_params }, {}, abort.signal);
    await until(() => decode.signals().fetchingRequests === 1);
    const answer = await postDisaggregated(decode, prefill, "/v1/completions", BODY);
    expect(answer.status).toBe(200);
    expect((await countsOf(decode)).fetches).toMatchObject({ refused: 1, fetched: 0 });
    await until(() => freeOf(prefill));
    abort.abort();
    await stuck;
    await until(() => freeOf(decode));
    expect((await countsOf(decode)).fetches).toMatchObject({ refused: 1, aborted: 1, failed: 0 });
  });

  it("computes the prompt of a peer that takes too long", async () => {
    const { decode } = await startDisaggregatedPods({ kvTransfer: { peerMsMax: 50 } });
    const kv_transfer_params = { ...remote, remote_port: await openSilentPort() };
    expect((await post(decode, "/v1/completions", { ...BODY, kv_transfer_params })).status).toBe(200);
    expect((await countsOf(decode)).fetches).toMatchObject({ failed: 1 });
  });
});

/** A port that takes connections and never answers. */
async function openSilentPort(): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => undefined)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Sends a streamed request; resolves when its answer has ended or it was aborted. */
async function streamed(pod: Pod, body: object, headers: Record<string, string>, signal: AbortSignal): Promise<void> {
  const init = { method: "POST", body: JSON.stringify({ ...body, stream: true }), headers, signal };
  await fetch(`${pod.url}/v1/completions`, init)
    .then((response) => response.text())
    .catch(() => undefined);
}

describe("a prefill pod", () => {
  const HOLD = { ...BODY, max_tokens: 1, kv_transfer_params: { do_remote_decode: true } };

  it("gives blocks that no one fetches back when their time is over", async () => {
    const { prefill } = await startDisaggregatedPods({ timeScale: 0.01, kvTransfer: { holdUsMax: 5_000_000 } });
    expect(bodyOf(await post(prefill, "/v1/completions", HOLD)).kv_transfer_params).not.toBeNull();
    await until(() => prefill.signals().heldRequests === 0);
    expect((await countsOf(prefill)).holds).toMatchObject({ expired: 1, released: 0 });
    expect(await series(prefill, "vllm:nixl_num_kv_expired_reqs_total")).toBe(1);
    expect(freeOf(prefill)).toBe(true);
  });

  it("holds no more than it may, and its answer then names no blocks", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ kvTransfer: { holdsMax: 1 } });
    expect(bodyOf(await post(prefill, "/v1/completions", HOLD)).kv_transfer_params).not.toBeNull();
    expect(bodyOf(await post(prefill, "/v1/completions", HOLD)).kv_transfer_params).toBeNull();
    expect((await countsOf(prefill)).holds).toMatchObject({ refused: 1 });
    const answer = await postDisaggregated(decode, prefill, "/v1/completions", BODY);
    expect(answer.status).toBe(200);
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 0, failed: 0 });
  });

  it("frees blocks when the decode pod's client goes away before they are fetched", async () => {
    const { prefill, decode } = await startDisaggregatedPods({
      timeScale: 1,
      engine: { seqsMax: 1 },
      kvTransfer: { latencyUs: 600_000_000 },
    });
    const abort = new AbortController();
    const answer = streamed(decode, BODY, { "x-prefiller-host-port": targetOf(prefill) }, abort.signal);
    await until(() => decode.signals().fetchingRequests === 1);
    expect(prefill.signals().heldRequests).toBe(1);
    abort.abort();
    await answer;
    await until(() => prefill.signals().heldRequests === 0 && freeOf(decode));
    expect((await countsOf(decode)).fetches).toMatchObject({ aborted: 1 });
  });

  it("frees blocks when the decode pod has no room for the request, or its client leaves the queue", async () => {
    // Prompts are computed at once, the first step of an answer never ends.
    const { prefill, decode } = await startDisaggregatedPods({
      timeScale: 1,
      engine: { seqsMax: 1, requestsMax: 2, stepTime: { ...INSTANT_STEP_TIME, cUs: FROZEN_STEP.aUs } },
      kvTransfer: { latencyUs: 0 },
    });
    const headers = { "x-prefiller-host-port": targetOf(prefill) };
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = streamed(decode, BODY, headers, running.signal);
    await until(async () => (await countsOf(prefill)).holds.released === 1);
    await until(() => decode.signals().runningRequests === 1);
    const second = streamed(decode, BODY, headers, waiting.signal);
    await until(() => decode.signals().waitingRequests === 1);
    expect(prefill.signals().heldRequests).toBe(1);
    expect((await postDisaggregated(decode, prefill, "/v1/completions", BODY)).status).toBe(503);
    await until(async () => (await countsOf(prefill)).holds.released === 2);
    expect(prefill.signals().heldRequests).toBe(1);
    waiting.abort();
    await second;
    await until(() => prefill.signals().heldRequests === 0);
    running.abort();
    await first;
    await until(() => freeOf(decode) && freeOf(prefill));
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1, aborted: 2, failed: 0 });
  });

  it("says nothing of blocks, and holds none, without KV transfer", async () => {
    const { all } = await startDisaggregatedPods({ count: 1 });
    const plain = all.find((pod) => pod.role === undefined)!;
    expect(bodyOf(await post(plain, "/v1/completions", HOLD)).kv_transfer_params).toBeNull();
    expect(freeOf(plain)).toBe(true);
    expect((await post(plain, "/sim/kv/read", {})).status).toBe(404);
  });
});
