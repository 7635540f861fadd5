import { describe, expect, it } from "vitest";
import { CandidateTable, Candidates } from "./candidates.ts";
import { DecisionHash } from "./decision-hash.ts";
import { DecisionRecord } from "./decision-record.ts";
import type { Decision } from "./decision.ts";
import { drawName } from "./draw.ts";
import { Endpoints } from "./endpoints.ts";
import type { Profile } from "./plan.ts";
import { endpoint, facts } from "./test-support/test-plan.ts";

const decision: Decision = {
  facts: facts(7),
  sequence: 0,
  atUs: 1,
  outcome: { kind: "picked", targets: ["10.0.0.1:1"], endpointIds: ["default/a"], slots: [0] },
  targetModel: "m",
  priority: 1,
  fairnessId: "f",
  headers: new Map([["x-a", "1"]]),
  scores: () => undefined,
  record: () => undefined,
};

/** Reasons over two candidates and one scorer, changed in one thing. */
function recordOf(change: (record: DecisionRecord) => void = () => undefined, name = "default"): DecisionRecord {
  const endpoints = new Endpoints();
  for (const pod of ["a", "b"]) endpoints.add(endpoint(pod));
  const record = new DecisionRecord();
  const table = new CandidateTable(endpoints.slots(), endpoints);
  record.begin(0, table, endpoints, 1);
  const run = record.run();
  run.begin({ name, scorers: [{}] } as unknown as Profile, 2);
  const candidates = new Candidates(2);
  for (const slot of [0, 1]) candidates.push(slot, slot);
  run.scored(candidates);
  run.raw.set([0.5, 1]);
  run.totals.set([0.5, 1]);
  run.draws.set([0.1, 0.2]);
  run.picks[0] = 1;
  run.pickCount = 1;
  change(record);
  return record;
}

function hashOf(...decisions: readonly (readonly [Partial<Decision>, DecisionRecord])[]): string {
  const hash = new DecisionHash();
  for (const [change, record] of decisions) hash.add({ ...decision, ...change }, record);
  expect(hash.count).toBe(decisions.length);
  return hash.hex;
}

describe("the hash over decisions", () => {
  const plain = hashOf([{}, recordOf()]);
  const rejected = (code: "Internal" | "BadRequest", message: string): Partial<Decision> => ({
    outcome: { kind: "rejected", rejection: { code, message } },
  });
  const image = { modality: "image", hash: "a", prompt: 0, offsetTokens: 2, lengthTokens: 3 };
  const changed: [string, Partial<Decision>, DecisionRecord][] = [
    ["its key", { facts: facts(8) }, recordOf()],
    ["its request id", { facts: { ...facts(7), requestId: "other" } }, recordOf()],
    ["its media", { facts: facts(7, { media: [image] }) }, recordOf()],
    ["their kind", { facts: facts(7, { media: [{ ...image, modality: "audio" }] }) }, recordOf()],
    ["their hash", { facts: facts(7, { media: [{ ...image, hash: "b" }] }) }, recordOf()],
    ["their prompt", { facts: facts(7, { media: [{ ...image, prompt: 1 }] }) }, recordOf()],
    ["their place", { facts: facts(7, { media: [{ ...image, offsetTokens: 1 }] }) }, recordOf()],
    ["their length", { facts: facts(7, { media: [{ ...image, lengthTokens: 1 }] }) }, recordOf()],
    ["their number", { facts: facts(7, { media: [image, image] }) }, recordOf()],
    ["its model", { targetModel: "n" }, recordOf()],
    ["its priority", { priority: 2 }, recordOf()],
    ["its flow", { fairnessId: "g" }, recordOf()],
    ["its endpoint", { outcome: { ...decision.outcome, endpointIds: ["default/b"] } as never }, recordOf()],
    ["its destination", { outcome: { ...decision.outcome, targets: ["10.0.0.1:2"] } as never }, recordOf()],
    ["a refusal", rejected("Internal", "no"), recordOf()],
    ["the refusal's code", rejected("BadRequest", "no"), recordOf()],
    ["the refusal's words", rejected("Internal", "never"), recordOf()],
    ["a header", { headers: new Map([["x-a", "2"]]) }, recordOf()],
    ["a header's name", { headers: new Map([["x-b", "1"]]) }, recordOf()],
    ["a header that is taken away", { headers: new Map([["x-a", undefined]]) }, recordOf()],
    ["the candidates", {}, recordOf((record) => (record.idHashes[1] = drawName("default/c")))],
    ["their number", {}, recordOf((record) => (record.rowCount = 1))],
    ["a profile's name", {}, recordOf(undefined, "prefill")],
    ["a drop", {}, recordOf(({ profiles }) => (profiles[0].droppedBy[1] = 0))],
    ["who is scored", {}, recordOf(({ profiles }) => profiles[0].rows.set([1, 0]))],
    ["a raw score", {}, recordOf(({ profiles }) => (profiles[0].raw[1] = 0.25))],
    ["a total", {}, recordOf(({ profiles }) => (profiles[0].totals[1] = 0.25))],
    ["a draw", {}, recordOf(({ profiles }) => (profiles[0].draws[1] = 0.25))],
    ["a pick", {}, recordOf(({ profiles }) => (profiles[0].picks[0] = 0))],
  ];
  it("differs with each thing that a decision says", () => {
    const hashes = changed.map(([what, change, record]) => [what, hashOf([change, record])] as const);
    for (const [what, hash] of hashes) expect(hash, what).not.toBe(plain);
    expect(new Set(hashes.map(([, hash]) => hash)).size).toBe(hashes.length);
  });

  it("does not differ with where a record's memory was before, or with which NaN it holds", () => {
    const odd = new Float64Array(new Uint32Array([1, 0x7ff8_0000]).buffer)[0];
    const withDraw = (value: number) => hashOf([{}, recordOf(({ profiles }) => (profiles[0].draws[0] = value))]);
    expect(withDraw(odd)).toBe(withDraw(Number.NaN));
    const longer = recordOf((record) => {
      record.idHashes.push(drawName("default/old"));
      const [run] = record.profiles;
      run.raw = Float64Array.of(0.5, 1, 9, 9);
      run.totals = Float64Array.of(0.5, 1, 9);
    });
    expect(hashOf([{}, longer])).toBe(plain);
  });

  it("depends on the order of the decisions", () => {
    const [one, two] = [{ facts: facts(1) }, { facts: facts(2) }];
    expect(hashOf([one, recordOf()], [two, recordOf()])).not.toBe(hashOf([two, recordOf()], [one, recordOf()]));
  });
});
