import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Candidates } from "../../core/candidates.ts";
import type { PluginDefinition, PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { PLUGINS, pluginType } from "../list.ts";
import type { FilterEntry } from "../test-support/filter-entries.ts";
import { FILTER_ENTRIES } from "../test-support/filter-entries.ts";
import { exampleParams } from "../test-support/example-params.ts";
import { make } from "../test-support/fixture.ts";
import type { WildScene } from "../test-support/wild-scene.ts";
import { buildScene, crowd, drawn, wildScenes } from "../test-support/wild-scene.ts";

/** Those that are built. */
const FILTERS = PLUGINS.filter(({ points }) => points.includes("filter"));
const UNTOUCHED = -7;

/** Places that a filter keeps; it may write no place beyond the candidates. */
function filtered(plugin: PluginInstance, request: RequestState): number[] {
  const { slots } = request.table;
  const candidates = new Candidates(slots.length + 2);
  for (const [row, slot] of slots.entries()) candidates.push(row, slot);
  const keep = new Int32Array(slots.length + 2).fill(UNTOUCHED);
  const kept = plugin.filter!(request, candidates, keep);
  expect(kept).toBeGreaterThanOrEqual(0);
  expect(kept).toBeLessThanOrEqual(slots.length);
  expect([...keep.subarray(slots.length)]).toEqual([UNTOUCHED, UNTOUCHED]);
  expect([...request.table.slots]).toEqual([...candidates.slots.subarray(0, candidates.count)]);
  return [...keep.subarray(0, kept)];
}

interface Run {
  readonly definition: PluginDefinition;
  readonly entry: FilterEntry;
  readonly params: object;
  readonly scene: WildScene;
  readonly order?: readonly number[];
}

/** Places that a new instance keeps of a scene's candidates in the given order. */
function places({ definition, entry, params, scene, order }: Run): number[] {
  const { endpoints, request } = buildScene(scene, order);
  const others = (entry.others ?? []).map((type) => [type, make(pluginType(type)!, {}, endpoints)] as const);
  const plugin = make(definition, params, endpoints, { others: Object.fromEntries(others) });
  entry.before?.(plugin, buildScene(scene).request);
  const kept = filtered(plugin, request);
  expect(filtered(plugin, request)).toEqual(kept);
  return kept;
}

it("every entry is one of a filter", () => {
  for (const type of Object.keys(FILTER_ENTRIES)) expect(pluginType(type)?.points).toContain("filter");
});

/** A type without an entry is held to the same, with the parameters of its example. */
const entryOf = (definition: PluginDefinition): FilterEntry =>
  FILTER_ENTRIES[definition.type] ?? { params: fc.constant(exampleParams(definition)) };

const TESTED = FILTERS.map((definition) => [definition.type, definition, entryOf(definition)] as const);

describe.each(TESTED)("%s", (_type, definition, entry) => {
  const { ownOrder, keepsSome } = entry;

  it(`keeps some of the candidates, none twice, in ${ownOrder ?? "their order"}, the same each time`, () => {
    fc.assert(
      fc.property(entry.params, wildScenes, (params, scene) => {
        const kept = places({ definition, entry, params, scene });
        expect(new Set(kept).size).toBe(kept.length);
        for (const place of kept) expect(place >= 0 && place < scene.pods.length).toBe(true);
        if (!ownOrder) expect(kept).toEqual(kept.toSorted((a, b) => a - b));
        if (keepsSome) expect(kept.length).toBeGreaterThan(0);
        expect(places({ definition, entry, params, scene })).toEqual(kept);
      }),
    );
  });

  it("keeps all of one list, not of another, and none of a third unless it always keeps some", () => {
    // One that always kept all, or none, would have the other properties as well.
    const missing = new Set(["all", "some", ...(keepsSome ? [] : ["none"])]);
    for (const [params, scene] of drawn(fc.tuple(entry.params, wildScenes))) {
      const kept = places({ definition, entry, params, scene }).length;
      missing.delete(kept === 0 ? "none" : kept < scene.pods.length ? "some" : "all");
      if (missing.size === 0) break;
    }
    expect([...missing]).toEqual([]);
  });

  it("keeps some of 1,000 candidates, none twice", () => {
    const [params] = fc.sample(entry.params, { numRuns: 1, seed: 4 });
    const kept = places({ definition, entry, params, scene: crowd });
    expect(new Set(kept).size).toBe(kept.length);
    if (!ownOrder) expect(kept).toEqual(kept.toSorted((a, b) => a - b));
  });

  it("keeps the same endpoints in any order of the candidates", () => {
    const ordered = wildScenes.chain((scene) => {
      const all = [...scene.pods.keys()];
      const order = fc.shuffledSubarray(all, { minLength: all.length });
      return fc.record({ scene: fc.constant(scene), order });
    });
    fc.assert(
      fc.property(entry.params, ordered, (params, { scene, order }) => {
        const run = { definition, entry, params, scene };
        const kept = places({ ...run, order }).map((place) => order[place]);
        const numbers = (a: number, b: number) => a - b;
        expect(kept.toSorted(numbers)).toEqual(places(run).toSorted(numbers));
      }),
    );
  });
});
