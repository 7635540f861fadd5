import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Candidates } from "../../core/candidates.ts";
import type { PluginDefinition, PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { PLUGINS, pluginType } from "../list.ts";
import { exampleParams } from "../test-support/example-params.ts";
import { make } from "../test-support/fixture.ts";
import type { ScorerEntry } from "../test-support/scorer-entries.ts";
import { SCORER_ENTRIES } from "../test-support/scorer-entries.ts";
import type { WildScene } from "../test-support/wild-scene.ts";
import { buildScene, crowd, someOf, soundScenes, wildScenes } from "../test-support/wild-scene.ts";

/** Those that stand alone; one made of others is tested with these by its own file. */
const SCORERS = PLUGINS.filter(({ points, references }) => points.includes("scorer") && !references);

/** Scores of a request's candidates, from an `out` that held `before`; places beyond them must stay. */
function scored(plugin: PluginInstance, request: RequestState, before: number): number[] {
  const { slots } = request.table;
  const candidates = new Candidates(slots.length + 2);
  for (const [row, slot] of slots.entries()) candidates.push(row, slot);
  const out = new Float64Array(slots.length + 2).fill(before);
  plugin.score!(request, candidates, out);
  expect([...out.subarray(slots.length)]).toEqual([before, before]);
  return [...out.subarray(0, slots.length)];
}

/** What the scheduler makes of a score: held to 0..1, NaN as it is. The sign of 0 does not count. */
function clamped(score: number): number {
  if (score > 1) return 1;
  return score <= 0 ? 0 : score;
}

interface Run {
  readonly definition: PluginDefinition;
  readonly entry: ScorerEntry;
  readonly params: object;
  readonly scene: WildScene;
  readonly order?: readonly number[];
  readonly before?: number;
}

/** Clamped scores by pod of a new instance; for candidates in the given order. */
function scoresByPod({ definition, entry, params, scene, order, before = 77 }: Run): number[] {
  const wanted = order ?? [...scene.pods.keys()];
  const { endpoints, request } = buildScene(scene, wanted);
  const plugin = make(definition, params, endpoints);
  entry.before?.(plugin, buildScene(scene).request);
  const scores = scored(plugin, request, before);
  expect(scored(plugin, request, before)).toEqual(scores);
  const byPod = scene.pods.map(() => Number.NaN);
  for (const [i, pod] of wanted.entries()) byPod[pod] = clamped(scores[i]);
  return byPod;
}

/** A scene, and another order of all its candidates. */
const ordered = (scenes: fc.Arbitrary<WildScene>) =>
  scenes.chain((scene) => {
    const all = [...scene.pods.keys()];
    const order = fc.shuffledSubarray(all, { minLength: all.length });
    return fc.record({ scene: fc.constant(scene), order });
  });

it("every entry is one of a scorer", () => {
  for (const type of Object.keys(SCORER_ENTRIES)) expect(pluginType(type)?.points).toContain("scorer");
});

/** A type without an entry is held to the same, with the parameters of its example. */
const entryOf = (definition: PluginDefinition): ScorerEntry =>
  SCORER_ENTRIES[definition.type] ?? { params: fc.constant(exampleParams(definition)) };

const TESTED = SCORERS.map((definition) => [definition.type, definition, entryOf(definition)] as const);

describe.each(TESTED)("%s", (_type, definition, entry) => {
  it("scores every candidate from 0 to 1, whatever stood there before", () => {
    fc.assert(
      fc.property(entry.params, soundScenes, (params, scene) => {
        const run = { definition, entry, params, scene };
        const scores = scoresByPod(run);
        for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
        expect(scoresByPod({ ...run, before: -3 })).toEqual(scores);
      }),
    );
  });

  it(entry.passesNaN ? "gives NaN only for signals that are no finite numbers" : "never gives NaN", () => {
    fc.assert(
      fc.property(entry.params, wildScenes, (params, scene) => {
        const scores = scoresByPod({ definition, entry, params, scene });
        if (!entry.passesNaN) expect(scores.some(Number.isNaN)).toBe(false);
        for (const score of scores) expect(Number.isNaN(score) || (score >= 0 && score <= 1)).toBe(true);
      }),
    );
  });

  it("scores each of 1,000 candidates from 0 to 1, or NaN where that is told", () => {
    const [params] = fc.sample(entry.params, { numRuns: 1, seed: 4 });
    const scores = scoresByPod({ definition, entry, params, scene: crowd });
    expect(scores).toHaveLength(1000);
    const odd = scores.filter((score) => !(score >= 0 && score <= 1));
    expect(odd.every((score) => entry.passesNaN !== undefined && Number.isNaN(score))).toBe(true);
  });

  const { mindsOrder } = entry;
  it(`scores ${mindsOrder ? `by the order of the candidates: ${mindsOrder}` : "the same in any order of candidates"}`, () => {
    const changes = (params: object, { scene, order }: { scene: WildScene; order: readonly number[] }) => {
      const run = { definition, entry, params, scene };
      const [forth, other] = [scoresByPod(run), scoresByPod({ ...run, order })];
      if (!mindsOrder) expect(other).toEqual(forth);
      return forth.some((score, i) => score !== other[i]);
    };
    const scenes = ordered(wildScenes);
    if (!mindsOrder) fc.assert(fc.property(entry.params, scenes, (params, scene) => void changes(params, scene)));
    // An exception that is none any more must go.
    else expect(someOf(fc.tuple(entry.params, scenes), (pair) => changes(...pair))).toBe(true);
  });

  for (const { name, better, values, set, within = (scene: WildScene) => scene, params } of entry.monotone ?? []) {
    it(`never scores a pod less for ${better === "lower" ? "fewer" : "more"} ${name}`, () => {
      const scenes = fc.tuple(params ? fc.constant(params) : entry.params, soundScenes, values, values);
      const lowAndHigh = ([given, scene, a, b]: [object, WildScene, number, number]) => {
        const [pod] = scene.pods;
        const pods = [...scene.pods, set(pod, Math.min(a, b)), set(pod, Math.max(a, b))];
        return scoresByPod({ definition, entry, params: given, scene: within({ ...scene, pods }) }).slice(-2);
      };
      fc.assert(
        fc.property(scenes, (one) => {
          const [low, high] = lowAndHigh(one);
          expect(better === "lower" ? low >= high : high >= low).toBe(true);
        }),
      );
      // A scorer that looks at something else would have the property as well.
      const differs = someOf(scenes, (one) => new Set(lowAndHigh(one)).size > 1);
      expect(differs).toBe(true);
    });
  }
});
