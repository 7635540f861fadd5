import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision } from "../core/decision.ts";
import { endpoint, facts as factsOf } from "../core/test-support/test-plan.ts";
import { ALWAYS, BOTH, configOf, IMAGE, prompt, scene } from "./test-support/disagg-scene.ts";

const ROLES = ["decode", "prefill", "encode", ""];
const PODS = 8;
const CONFIGS = [
  configOf(ALWAYS, BOTH),
  configOf(
    "{type: prefix-based-pd-decider, parameters: {nonCachedTokens: 100}}",
    BOTH.replaceAll("always-disagg-pd", "prefix-based-pd"),
  ),
  configOf(ALWAYS, ", parameters: {stageOrder: prefill-first, deciders: {encode: always-disagg-multimodal-decider}}"),
  configOf(
    ALWAYS,
    ", parameters: {deciderPluginName: always-disagg-pd-decider, primaryPort: 9000}",
    "pd-profile-handler",
  ),
];

const pod = fc.nat(PODS - 1);
const nth = fc.nat(12);
const someOp = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("arrive" as const),
      tokens: fc.integer({ min: 0, max: 400 }),
      fill: fc.nat(3),
      hasImage: fc.boolean(),
      // Without block ids of the right size it asks, and waits.
      foreseen: fc.boolean(),
      prefer: fc.constantFrom("", "", "if-available"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("end" as const), nth }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("started" as const), nth, pod }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("firstByte" as const), nth }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant("up" as const), pod, role: fc.nat(ROLES.length - 1), moved: fc.nat(1) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("down" as const), pod }) },
);
type Op = typeof someOp extends fc.Arbitrary<infer T> ? T : never;

const targetOf = (n: number, moved: number) => `10.0.${moved}.${n}:8000`;

/** Plays the operations, looks at each decision as it is made, and ends whatever is left. */
function play(text: string, ops: readonly Op[]) {
  const { core, step, notices, load, counts } = scene(text, {});
  const live = new Map<number, { role: string; target: string }>();
  const waiting = new Set<number>();
  let key = 0;
  let atUs = 0;
  let seen = 0;
  let decided = 0;
  const look = (): void => {
    for (; seen < notices.length; seen++) {
      const notice = notices[seen];
      if (notice.type === "ask") waiting.add(notice.ask.id);
      else if (notice.type === "askOver") waiting.delete(notice.ask);
      else if (notice.type === "pluginFailed" || notice.type === "hookFailed") throw new Error(notice.cause);
      else if (notice.type === "decision") {
        decided++;
        expectDecision(notice.decision, [...live.values()]);
      }
    }
  };
  for (const op of [...ops, ...Array.from({ length: ops.length }, (_, nth) => ({ op: "end" as const, nth }))]) {
    atUs++;
    if (op.op === "arrive") {
      key++;
      const { blocks, ...sizes } = prompt(op.tokens, op.fill);
      step({
        type: "requestArrived",
        atUs,
        facts: factsOf(key - 1, {
          ...sizes,
          blocks: op.foreseen ? blocks! : [],
          ...(op.hasImage && { media: IMAGE }),
          headers: op.prefer ? { prefer: op.prefer } : {},
        }),
      });
    } else if (op.op === "end") step({ type: "requestEnded", atUs, key: op.nth, cause: "error" });
    else if (op.op === "started") step({ type: "responseStarted", atUs, key: op.nth, served: targetOf(op.pod, 0) });
    else if (op.op === "firstByte") step({ type: "responseFirstByte", atUs, key: op.nth });
    else if (op.op === "down") {
      live.delete(op.pod);
      step({ type: "endpointRemoved", atUs, id: `default/pod-${op.pod}` });
    } else {
      const role = ROLES[op.role];
      const labels: Record<string, string> = role === "" ? {} : { "llm-d.ai/role": role };
      live.set(op.pod, { role, target: targetOf(op.pod, op.moved) });
      step({
        type: "endpointUpserted",
        atUs,
        endpoint: { ...endpoint(`pod-${op.pod}`, `10.0.${op.moved}.${op.pod}`), labels },
      });
    }
    look();
  }
  // Those that still wait for block ids get none in time.
  step({ type: "timePassed", atUs: 10_000_000 });
  look();
  for (let left = 0; left < key; left++) step({ type: "requestEnded", atUs: 10_000_001, key: left, cause: "natural" });
  look();
  return {
    hash: core.decisionHash,
    decided,
    arrived: key,
    waiting: waiting.size,
    left: core.requestCount,
    load: load(),
    counts: counts(),
  };
}

function expectDecision({ outcome, headers }: Decision, live: readonly { role: string; target: string }[]): void {
  const hosts = (header: string) => headers.get(header)?.split(",") ?? [];
  const withRole = (...roles: string[]) => live.filter(({ role }) => roles.includes(role)).map(({ target }) => target);
  if (outcome.kind === "rejected") {
    expect([...hosts("x-prefiller-host-port"), ...hosts("x-encoder-hosts-ports")]).toEqual([]);
    return;
  }
  const decode = withRole("decode", "");
  // pd-profile-handler sends to the pod's primary port.
  for (const target of outcome.targets) expect(decode).toContain(target.replace(/:9000$/, ":8000"));
  expect(hosts("x-prefiller-host-port").length).toBeLessThanOrEqual(1);
  for (const host of hosts("x-prefiller-host-port")) expect(withRole("prefill")).toContain(host);
  for (const host of hosts("x-encoder-hosts-ports")) expect(withRole("encode")).toContain(host);
}

describe("any run over disaggregated pods", () => {
  it("picks pods that are there for each stage, decides everyone, gives all back, and is the same again", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.constantFrom(...CONFIGS), fc.array(someOp, { maxLength: 60 }), (text, ops) => {
        const first = play(text, ops);
        expect(first).toMatchObject({ waiting: 0, left: 0, load: {} });
        expect(first.decided).toBeLessThanOrEqual(first.arrived);
        for (const count of first.counts) for (const decision of Object.keys(count)) seen.add(decision);
        expect(play(text, ops)).toEqual(first);
      }),
      { numRuns: 150 },
    );
    // Else it would show nothing.
    expect([...seen].toSorted()).toEqual(["decode-only", "encode-decode", "encode-prefill-decode", "prefill-decode"]);
  });
});
