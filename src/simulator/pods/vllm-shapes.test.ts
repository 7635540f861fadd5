import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { capturedRequest, capturedResponse, eventsOf, shapeOf } from "../test-support/captures.ts";
import { get, post, startTinyPod } from "../test-support/small-pod.ts";
import type { Pod } from "./pod.ts";

let plain: Pod;
let detailed: Pod;
beforeAll(async () => {
  plain = await startTinyPod({ promptTokensDetails: false });
  detailed = await startTinyPod({ loraAdapters: ["lora-tides", "lora-buoys"] });
});
afterAll(() => Promise.all([plain.stop(), detailed.stop()]));

const replay = async (pod: Pod, name: string) => {
  const { path, body } = capturedRequest(name);
  return { ours: await post(pod, path, body), theirs: capturedResponse(name) };
};
/** Runs of events of one shape, since texts and so the number of chunks differ. */
const runs = (events: readonly unknown[]): unknown[] =>
  events.map((event) => JSON.stringify(shapeOf(event))).filter((shape, i, all) => shape !== all[i - 1]);

describe("answers to the captured requests have vLLM's bytes but for ids, texts and counts", () => {
  it.each(["http/chat-nonstream", "http/completions-nonstream"])("%s, without cache details", async (name) => {
    const { ours, theirs } = await replay(plain, name);
    expect(ours.status).toBe(200);
    expect(ours.headers.get("content-type")).toBe(theirs.headers["content-type"]);
    expect(shapeOf(JSON.parse(ours.text))).toEqual(shapeOf(JSON.parse(theirs.body)));
  });

  it.each(["http-lora/chat-nonstream-cached", "http-lora/completions-cache-salt"])(
    "%s, with cache details",
    async (name) => {
      const { ours, theirs } = await replay(detailed, name);
      expect(shapeOf(JSON.parse(ours.text))).toEqual(shapeOf(JSON.parse(theirs.body)));
    },
  );

  it.each([
    "http/chat-stream-usage",
    "http/chat-stream-nousage",
    "http/chat-stream-continuous-usage",
    "http/completions-stream-usage",
  ])("%s, streamed without cache details", async (name) => {
    const { ours, theirs } = await replay(plain, name);
    expect(ours.headers.get("content-type")).toBe(theirs.headers["content-type"]);
    expect(runs(eventsOf(ours.text))).toEqual(runs(eventsOf(theirs.body)));
  });

  it("http-lora/chat-stream-cached-2, streamed with cache details", async () => {
    const { ours, theirs } = await replay(detailed, "http-lora/chat-stream-cached-2");
    expect(runs(eventsOf(ours.text))).toEqual(runs(eventsOf(theirs.body)));
  });

  it("one event a token, the last with the reason", async () => {
    const { ours } = await replay(plain, "http/completions-stream-usage");
    const events = eventsOf(ours.text) as { choices: { text: string; finish_reason: string | null }[] }[];
    expect(events).toHaveLength(12 + 1);
    expect(events.map((e) => e.choices[0]?.finish_reason)).toEqual([
      ...Array<null>(11).fill(null),
      "length",
      undefined,
    ]);
    expect(events.slice(0, 12).every((e) => e.choices[0].text !== "")).toBe(true);
  });

  it.each(["http/error-bad-json", "http/error-unknown-model", "http/error-context-length"])("%s", async (name) => {
    const { ours, theirs } = await replay(plain, name);
    expect(ours.status).toBe(theirs.status);
    const [error, captured] = [JSON.parse(ours.text), JSON.parse(theirs.body)] as { error: Record<string, unknown> }[];
    expect(shapeOf(error)).toEqual(shapeOf(captured));
    expect([error.error.type, error.error.param, error.error.code]).toEqual([
      captured.error.type,
      captured.error.param,
      captured.error.code,
    ]);
    if (name !== "http/error-bad-json") expect(error.error.message).toBe(captured.error.message);
  });

  it("http/tokenize, http/version, http/health, http/models", async () => {
    const { ours, theirs } = await replay(plain, "http/tokenize");
    const shape = (text: string): unknown => shapeOf({ ...(JSON.parse(text) as object), tokens: [0] });
    expect(shape(ours.text)).toEqual(shape(theirs.body));
    expect((await get(plain, "/version")).text).toBe(capturedResponse("http/version").body);
    const health = await get(plain, "/health");
    expect([health.status, health.text]).toEqual([200, capturedResponse("http/health").body]);
    const models = JSON.parse((await get(plain, "/v1/models")).text) as { data: object[] };
    const captured = JSON.parse(capturedResponse("http/models").body) as { data: object[] };
    const withoutPermission = (list: { data: object[] }): unknown =>
      shapeOf({ ...list, data: list.data.map((model) => ({ ...model, permission: [] })) });
    expect(withoutPermission(models)).toEqual(withoutPermission(captured));
  });

  it("http-lora/models-lora names the adapters, with the model as their parent", async () => {
    const pick = (text: string): unknown =>
      (JSON.parse(text) as { data: { id: string; parent: string | null }[] }).data.map(({ id, parent }) => [
        id,
        parent,
      ]);
    expect(pick((await get(detailed, "/v1/models")).text)).toEqual(
      pick(capturedResponse("http-lora/models-lora").body),
    );
  });

  it("http-lora/reset-prefix-cache", async () => {
    const { ours, theirs } = await replay(detailed, "http-lora/reset-prefix-cache");
    expect(ours.text).toBe(theirs.body);
  });
});
