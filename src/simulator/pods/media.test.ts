import { describe, expect, it } from "vitest";
import {
  countsOf,
  postDisaggregated,
  series,
  startDisaggregatedPods,
  targetOf,
} from "../test-support/disaggregated-pods.ts";
import { get, post, until, type Answer } from "../test-support/small-pod.ts";
import type { Pod } from "./pod.ts";

const image = (url: string): object => ({ type: "image_url", image_url: { url } });
const chat = (...parts: (string | object)[]): object => ({
  messages: [
    { role: "user", content: parts.map((part) => (typeof part === "string" ? { type: "text", text: part } : part)) },
  ],
  max_tokens: 10,
  ignore_eos: true,
});
const start = async (options = {}) => {
  const { prefill, decode, all } = await startDisaggregatedPods({
    roles: { encode: 2, prefill: 1, decode: 1 },
    ...options,
  });
  return { prefill, decode, encode: all.filter((pod) => pod.role === "encode") };
};
interface Body {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly usage: { readonly prompt_tokens: number };
  readonly sim: { readonly ttft_ms: number; readonly fetched_tokens: number };
}
const bodyOf = ({ text }: Answer): Body => JSON.parse(text) as Body;
const answerOf = (answer: Answer): string => bodyOf(answer).choices[0].message.content;
const encodeHeader = (pods: readonly Pod[]): Record<string, string> => ({
  "x-encoder-hosts-ports": pods.map(targetOf).join(","),
});
const itemsOf = async (pod: Pod): Promise<Record<string, number>> =>
  (JSON.parse((await get(pod, "/sim/state")).text) as { media: Record<string, number> }).media;

describe("media in a prompt", () => {
  it("stand for tokens by their content", async () => {
    const { decode } = await start({ mediaTokens: 100 });
    const tokens = async (...parts: (string | object)[]): Promise<number[]> =>
      (JSON.parse((await post(decode, "/tokenize", chat(...parts))).text) as { tokens: number[] }).tokens;
    const [none, a, b, again] = [
      await tokens("x"),
      await tokens("x", image("a")),
      await tokens("x", image("b")),
      await tokens("x", image("a")),
    ];
    expect(a.length).toBe(none.length + 101);
    expect(again).toEqual(a);
    expect(a.filter((id, i) => id !== b[i]).length).toBe(100);
    expect(new Set(a.slice(4, 104)).size).toBe(100);
  });

  it.each([
    [{ type: "image_url", image_url: {} }, 400],
    [{ type: "image_url" }, 400],
    [{ type: "input_audio", input_audio: { data: "" } }, 400],
    [{ type: "smell", smell: { url: "x" } }, 400],
    [{ type: "constructor" }, 400],
    [{ type: "video_url", video_url: { url: "http://x" } }, 200],
    [{ type: "input_audio", input_audio: { data: "abc", format: "wav" } }, 200],
  ])("of %j are answered %d", async (part, status) => {
    const { decode } = await start();
    expect((await post(decode, "/v1/chat/completions", chat("x", part))).status).toBe(status);
  });

  it("are refused beyond their number, and by a model that takes none", async () => {
    const { decode } = await start();
    const many = Array.from({ length: 65 }, (_, i) => image(String(i)));
    expect((await post(decode, "/v1/chat/completions", chat(...many))).text).toContain("At most 64 media items");
    const { decode: plain } = await startDisaggregatedPods();
    expect((await post(plain, "/v1/chat/completions", chat(image("a")))).text).toContain("not a multimodal model");
  });

  it("cost nothing when their tokens are cached, though the encoder has forgotten them", async () => {
    const { decode } = await start({
      timeScale: 0.01,
      encodeUs: 400_000,
      encodedItemsMax: 1,
      engine: { stepTime: { aUs: 1000, bUs: 0, qUs: 0, cUs: 0, dUs: 0 } },
    });
    const ttfts: number[] = [];
    for (const name of ["a", "b", "a"]) {
      const body = chat(image(name), "what is that? ".repeat(20));
      ttfts.push(bodyOf(await post(decode, "/v1/chat/completions", body, { "x-sim-report": "1" })).sim.ttft_ms);
    }
    expect(ttfts).toEqual([401, 401, 1]);
  });

  it("cost the encoder's time once, until their tokens are cached", async () => {
    const { decode } = await start({
      timeScale: 0.01,
      encodeUs: 400_000,
      engine: { stepTime: { aUs: 1000, bUs: 0, qUs: 0, cUs: 0, dUs: 0 } },
    });
    const ttft = async (...parts: (string | object)[]): Promise<number> =>
      bodyOf(await post(decode, "/v1/chat/completions", chat(...parts), { "x-sim-report": "1" })).sim.ttft_ms;
    expect(await ttft("x")).toBe(1);
    expect(await ttft("x", image("a"), image("b"))).toBe(801);
    expect(await ttft("y", image("a"), image("c"))).toBe(401);
    expect(await itemsOf(decode)).toEqual({ encoded: 3, cached: 1, fetched: 0, failed: 0 });
    expect([
      await series(decode, "vllm:mm_cache_queries_total"),
      await series(decode, "vllm:mm_cache_hits_total"),
    ]).toEqual([4, 1]);
  });
});

describe("encode pods", () => {
  const BODY = chat("what is that?", image("a"), "and that?", image("b"), image("a"));

  it("encode in turn, each item once; the prefill pod fetches them, the decode pod its KV; the answer is the same", async () => {
    const { prefill, decode, encode } = await start();
    const answer = await postDisaggregated(decode, prefill, "/v1/chat/completions", BODY, encodeHeader(encode));
    expect(await itemsOf(decode)).toEqual({ encoded: 0, cached: 0, fetched: 0, failed: 0 });
    const alone = answerOf(await post(decode, "/v1/chat/completions", { ...BODY, cache_salt: "x" }));
    expect([answer.status, answerOf(answer)]).toEqual([200, alone]);
    expect(await Promise.all(encode.map(itemsOf))).toEqual([
      { encoded: 1, cached: 0, fetched: 0, failed: 0 },
      { encoded: 1, cached: 0, fetched: 0, failed: 0 },
    ]);
    expect(await itemsOf(prefill)).toEqual({ encoded: 0, cached: 1, fetched: 2, failed: 0 });
    expect((await countsOf(decode)).sidecar).toMatchObject({ encodedItems: 2, failedItems: 0, disaggregated: 1 });
    expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1 });
    expect(encode.map((pod) => pod.signals().promptTokens)).toEqual([1, 1]);
    await until(() => prefill.signals().heldRequests === 0);
  });

  it("serve a decode pod that prefills itself", async () => {
    const { decode, encode } = await start();
    const answer = await post(decode, "/v1/chat/completions", BODY, encodeHeader(encode));
    expect(answer.status).toBe(200);
    expect(await itemsOf(decode)).toEqual({ encoded: 0, cached: 1, fetched: 2, failed: 0 });
    expect((await countsOf(decode)).sidecar).toMatchObject({ encodedItems: 2, decodeOnly: 1 });
  });

  it("are not asked for prompts without media, nor for plain completions", async () => {
    const { decode, encode } = await start();
    expect((await post(decode, "/v1/chat/completions", chat("x"), encodeHeader(encode))).status).toBe(200);
    expect((await post(decode, "/v1/completions", { prompt: "x" }, encodeHeader(encode))).status).toBe(200);
    expect((await countsOf(decode)).sidecar).toMatchObject({ encodedItems: 0, failedItems: 0, decodeOnly: 2 });
  });

  it("that fail are done without, or fail the request where that is asked for", async () => {
    const lenient = await start();
    lenient.encode[0].faults = { requests: "error" };
    await lenient.encode[1].stopListening();
    expect((await post(lenient.decode, "/v1/chat/completions", BODY, encodeHeader(lenient.encode))).status).toBe(200);
    expect(await itemsOf(lenient.decode)).toEqual({ encoded: 2, cached: 1, fetched: 0, failed: 0 });
    expect((await countsOf(lenient.decode)).sidecar).toMatchObject({ failedItems: 2 });
    const strict = await start({ sidecar: { prefillFailure: "error" } });
    strict.encode[0].faults = { requests: "error" };
    const answer = await post(strict.decode, "/v1/chat/completions", BODY, encodeHeader(strict.encode));
    expect([answer.status, answer.text]).toEqual([502, expect.stringContaining("1 of 2 items failed")]);
  });

  it("that have lost an item, or are others now, leave it to be encoded where it is needed", async () => {
    const { decode, encode } = await start({ encodedItemsMax: 1 });
    const params = async (url: string): Promise<Record<string, object>> =>
      (
        JSON.parse((await post(encode[0], "/v1/chat/completions", chat(image(url)))).text) as {
          ec_transfer_params: Record<string, object>;
        }
      ).ec_transfer_params;
    const [a, b] = [await params("a"), await params("b")];
    const [[hash, entry]] = Object.entries(b);
    const wrong = { ...a, [hash]: { ...entry, remote_engine_id: "another" }, c: 7, d: null };
    const answer = await post(decode, "/v1/chat/completions", {
      ...chat(image("a"), image("b")),
      ec_transfer_params: wrong,
    });
    expect(answer.status).toBe(200);
    expect(await itemsOf(decode)).toEqual({ encoded: 2, cached: 0, fetched: 0, failed: 2 });
    expect((await post(decode, "/v1/chat/completions", { ...BODY, ec_transfer_params: [] })).status).toBe(400);
  });
});
