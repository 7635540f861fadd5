import { describe, expect, it } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { blockIds } from "../core/block-ids.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import type { Decision } from "../core/decision.ts";
import { endLine, eventLine, headerLine } from "../core/event-log.ts";
import { Replay } from "../core/replay.ts";
import { endpoint } from "../core/test-support/test-plan.ts";
import { readRequest } from "../protocol/request-reader.ts";
import { CoreDriver } from "./core-driver.ts";
import { readingPlanOf } from "./reading-plan.ts";

const CONFIG = `
plugins:
- {type: token-producer, parameters: {estimate: {image: {mode: static, static: {staticToken: 5}}}}}
- type: mm-embeddings-cache-scorer
- type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: mm-embeddings-cache-scorer, weight: 9}
  - pluginRef: queue-scorer`;
const SECRET = "https://private.example/passport.png";

/** A driver of the config over three pods that sends bodies as the server would, and records as it does. */
function scene() {
  const lines = [headerLine(3, DEFAULT_CORE_LIMITS)];
  let nowUs = 0;
  const driver = new CoreDriver({
    compile: compilePlan,
    seed: 3,
    nowUs: () => nowUs++,
    record: (event, number) => lines.push(eventLine(event, number)),
  });
  driver.load({ text: CONFIG, options: {} });
  const places = [0, 1, 2].map((i) => driver.upsert(endpoint(`pod-${i}`, `10.0.0.${i}`))!);
  const plan = readingPlanOf(driver);
  const send = (path: string, body: object): Decision => {
    const headers = new Map([[":path", Buffer.from(path)]]);
    const bytes = Buffer.from(JSON.stringify({ model: "m", ...body }));
    const read = readRequest({ plan, blockIds }, headers, "r", bytes, undefined);
    if ("code" in read) throw new Error(read.message);
    let decision: Decision | undefined;
    driver.arrive(read.facts, { decided: (made) => (decision = made) });
    return decision!;
  };
  /** Makes all pods but one look busy. */
  const onlyIdle = (idle: number) => {
    for (const [i, place] of places.entries()) driver.scraped({ ...place, waiting: i === idle ? 0 : 50 });
  };
  return { driver, lines, send, onlyIdle };
}

const picked = ({ outcome }: Decision) =>
  outcome.kind === "picked" ? outcome.endpointIds[0] : outcome.rejection.message;
const chat = (...urls: readonly string[]) => ({
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        ...urls.map((url) => ({ type: "image_url", image_url: { url } })),
      ],
    },
  ],
});

describe("requests with pictures", () => {
  it("go where their pictures went, through every API that takes some, and text goes by the queue", () => {
    const { send, onlyIdle } = scene();
    onlyIdle(1);
    expect(picked(send("/v1/chat/completions", chat(SECRET)))).toBe("default/pod-1");
    onlyIdle(2);
    expect(picked(send("/v1/chat/completions", chat(SECRET)))).toBe("default/pod-1");
    expect(picked(send("/v1/chat/completions", chat("https://private.example/other.png")))).toBe("default/pod-2");
    expect(picked(send("/v1/chat/completions", chat()))).toBe("default/pod-2");
    expect(picked(send("/v1/completions", { prompt: SECRET }))).toBe("default/pod-2");
    const image = { type: "image", source: { type: "url", url: SECRET } };
    expect(picked(send("/v1/messages", { max_tokens: 9, messages: [{ role: "user", content: [image] }] }))).toBe(
      "default/pod-1",
    );
    const { facts } = send("/v1/chat/completions", chat(SECRET));
    const ids = {
      mm_hashes: { image: [facts.media![0].hash] },
      mm_placeholders: { image: [{ offset: 0, length: 5 }] },
    };
    expect(picked(send("/inference/v1/generate", { token_ids: [1, 2], features: ids }))).toBe("default/pod-1");
  });

  it("count as the plan says, are recorded by their hash alone, and replay", () => {
    const { driver, lines, send } = scene();
    const first = send("/v1/chat/completions", chat(SECRET, "data:image/png;base64,AAAA"));
    expect(first.facts.media).toMatchObject([
      { modality: "image", offsetTokens: 4, lengthTokens: 5, prompt: 0 },
      { modality: "image", offsetTokens: 9, lengthTokens: 5, prompt: 0 },
    ]);
    expect(first.facts.inputTokens).toBe(14);
    for (let i = 0; i < 5; i++) send("/v1/chat/completions", chat(`${SECRET}?${i % 2}`));
    const { core } = driver;
    const log = lines.join("\n");
    expect(log).toContain(first.facts.media![0].hash);
    for (const content of ["private", "passport", "AAAA,", "base64", "What is it"]) expect(log).not.toContain(content);
    const end = { events: driver.eventCount, decisions: core.decisionCount, hash: core.decisionHash };
    const replay = new Replay({ compile: compilePlan });
    for (const line of [...lines, endLine(end)]) replay.push(line);
    expect(replay.end()).toMatchObject({ same: true, decisions: 6 });
    const altered = new Replay({ compile: compilePlan });
    for (const line of lines) altered.push(line.replaceAll(first.facts.media![0].hash, "abc"));
    expect(altered.end().hash).not.toBe(end.hash);
  });
});
