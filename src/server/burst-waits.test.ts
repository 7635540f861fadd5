import { describe, expect, it, onTestFinished } from "vitest";
import { compilePlan } from "../config/compile-plan.ts";
import { blockIds } from "../core/block-ids.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import type { Decision } from "../core/decision.ts";
import { endLine, eventLine, headerLine } from "../core/event-log.ts";
import { Replay } from "../core/replay.ts";
import { endpoint, facts } from "../core/test-support/test-plan.ts";
import { CoreDriver } from "./core-driver.ts";

const CONFIG = `
plugins:
- {type: burst-prefix-cache-producer, parameters: {windowDurationMs: 200, maxPerReplica: 3}}
- {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: burst-prefix-cache-producer}}`;

describe("a burst on the clock", () => {
  it("is woken by the driver's timer, placed together, and replays", async () => {
    const start = performance.now();
    const lines = [headerLine(3, DEFAULT_CORE_LIMITS)];
    const driver = new CoreDriver({
      compile: compilePlan,
      seed: 3,
      nowUs: () => Math.floor((performance.now() - start) * 1000),
      record: (event, number) => lines.push(eventLine(event, number)),
    });
    onTestFinished(() => driver.close());
    driver.load({ text: CONFIG, options: { "allow-experimental-plugins": true } });
    for (const i of [0, 1, 2, 3, 4, 5]) driver.upsert(endpoint(`pod-${i}`, `10.0.0.${i}`));
    const cut = blockIds([{ bytes: new Uint8Array(4 * 640) }], driver.core.blockSizesTokens());
    const send = () =>
      new Promise<Decision>(
        (resolve) => void driver.arrive(facts(0, cut), { decided: (decision) => resolve(decision) }),
      );
    const arrivedAtUs = driver.nowUs;
    const decisions = await Promise.all([1, 2, 3, 4, 5, 6].map(send));
    const pods = decisions.map(({ outcome }) => (outcome.kind === "picked" ? outcome.endpointIds[0] : ""));
    expect(new Set(pods).size).toBe(2);
    expect(new Set(pods.slice(0, 3)).size).toBe(1);
    for (const { atUs } of decisions) expect(atUs).toBeGreaterThanOrEqual(arrivedAtUs + 200_000);
    const { core } = driver;
    const end = { events: driver.eventCount, decisions: core.decisionCount, hash: core.decisionHash };
    const replay = new Replay({ compile: compilePlan });
    for (const line of [...lines, endLine(end)]) replay.push(line);
    expect(replay.end()).toMatchObject({ same: true, decisions: 6 });
  });
});
