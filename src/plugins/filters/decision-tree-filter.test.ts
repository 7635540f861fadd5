import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { ConfigError } from "../../config/config-error.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import { keptBy, poolOf, requestOf } from "../test-support/fixture.ts";
import { decisionTreeFilter } from "./decision-tree-filter.ts";
import type { TreeEntry } from "./decision-tree-params.ts";

/** Filters by name: `even` and `odd` by slot, `none`, `first`, and `backwards`, which turns the list round. */
const FILTERS: Readonly<Record<string, PluginInstance>> = {
  even: filterOf((slots) => slots.flatMap((slot, i) => (slot % 2 === 0 ? [i] : []))),
  odd: filterOf((slots) => slots.flatMap((slot, i) => (slot % 2 === 1 ? [i] : []))),
  none: filterOf(() => []),
  first: filterOf((slots) => slots.slice(0, 1).map(() => 0)),
  backwards: filterOf((slots) => slots.map((_, i) => i).toReversed()),
};

function filterOf(places: (slots: readonly number[]) => readonly number[]): PluginInstance {
  return {
    filter(_request, { count, slots }, keep) {
      const kept = places([...slots.subarray(0, count)]);
      keep.set(kept);
      return kept.length;
    },
  };
}

const PODS = 6;

function kept(tree: object): number[] {
  const endpoints = poolOf(Array.from({ length: PODS }, () => ({})));
  const context = { name: "tree", endpoints, seed: 1, limits: { prefixIndexBytesMax: 1 } };
  const filter = decisionTreeFilter.create(decisionTreeFilter.params.parse(tree), {
    ...context,
    plugin: (name) => FILTERS[name],
  });
  return keptBy(filter as Required<PluginInstance>, requestOf(endpoints));
}

const ref = (pluginRef: string): TreeEntry => ({ pluginRef });
const treeOf = (current: string, next: object = {}) => ({ decisionTree: { current: ref(current), ...next } });

describe("decision-tree-filter", () => {
  const table: readonly (readonly [string, object, readonly number[]])[] = [
    ["its filter alone", { current: ref("even") }, [0, 2, 4]],
    ["nothing where its filter keeps nothing", { current: ref("none") }, []],
    ["what the next one keeps of it", { current: ref("odd"), nextOnSuccess: ref("first") }, [1]],
    ["no failure's next after a success", { current: ref("odd"), nextOnFailure: ref("first") }, [1, 3, 5]],
    ["what the next one keeps of all after a failure", { current: ref("none"), nextOnFailure: ref("odd") }, [1, 3, 5]],
    ["no success's next after a failure", { current: ref("none"), nextOnSuccess: ref("odd") }, []],
    ["what comes either way, of its own", { current: ref("even"), nextOnSuccessOrFailure: ref("first") }, [0]],
    ["what comes either way, of all", { current: ref("none"), nextOnSuccessOrFailure: ref("first") }, [0]],
    [
      "the next of a success before that of either way",
      { current: ref("even"), nextOnSuccess: ref("backwards"), nextOnSuccessOrFailure: ref("none") },
      [4, 2, 0],
    ],
    [
      "the next of a failure before that of either way",
      { current: ref("none"), nextOnFailure: ref("odd"), nextOnSuccessOrFailure: ref("first") },
      [1, 3, 5],
    ],
    [
      "a tree within a tree",
      { current: ref("even"), nextOnSuccess: treeOf("none", { nextOnFailure: treeOf("backwards") }) },
      [4, 2, 0],
    ],
    ["a tree in the place of its filter", { current: treeOf("odd"), nextOnSuccess: ref("backwards") }, [5, 3, 1]],
  ];
  it.each(table)("keeps %s", (_, tree, places) => expect(kept(tree)).toEqual(places));

  it("filters the candidates of a tree as one after the other", () => {
    const next = treeOf("odd", { nextOnSuccessOrFailure: treeOf("first") });
    expect(kept({ current: ref("backwards"), nextOnSuccess: next })).toEqual([5]);
  });
});

it("a decision tree keeps some of the candidates, none twice, in order, where its filters do", () => {
  const leaf = fc.record({ pluginRef: fc.constantFrom("even", "odd", "none", "first") });
  const { entry } = fc.letrec<{ entry: object; tree: object }>((tie) => ({
    entry: fc.oneof({ depthSize: "small" }, leaf, fc.record({ decisionTree: tie("tree") })),
    tree: fc.record(
      {
        current: tie("entry"),
        nextOnSuccess: tie("entry"),
        nextOnFailure: tie("entry"),
        nextOnSuccessOrFailure: tie("entry"),
      },
      { requiredKeys: ["current"] },
    ),
  }));
  fc.assert(
    fc.property(entry, (current) => {
      const places = kept({ current });
      expect(places).toEqual([...new Set(places)].toSorted((a, b) => a - b));
      for (const place of places) expect(place).toBeLessThan(PODS);
    }),
  );
});

const KNOWN =
  "plugins: [{type: least-queue-filter}, {type: queue-scorer}, {type: decision-tree-filter, parameters: P}]";

/** What is said of a config whose tree has these parameters; "" when nothing. */
function problem(parameters: string, config = KNOWN): string {
  const context = { endpoints: poolOf([]), seed: 1, limits: { prefixIndexBytesMax: 1 << 20 } };
  try {
    compilePlan({ text: config.replace("P}", `${parameters}}`), options: {} }, context);
    return "";
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

describe("parameters of decision-tree-filter", () => {
  it("name filters that are declared, before it or after it", () => {
    const first = "plugins: [{type: decision-tree-filter, parameters: P}, {type: least-queue-filter}]";
    const tree = "{current: {pluginRef: least-queue-filter}}";
    expect([problem(tree), problem(tree, first)]).toEqual(["", ""]);
  });

  const refused: readonly (readonly [string, string])[] = [
    ["{}", "plugins[2].parameters.current: found nothing"],
    ["{nextOnSuccess: {pluginRef: least-queue-filter}}", "plugins[2].parameters.current: found nothing"],
    ["{current: {}}", "plugins[2].parameters.current: found a map, expected either pluginRef or decisionTree"],
    [
      "{current: {pluginRef: least-queue-filter, decisionTree: {current: {pluginRef: least-queue-filter}}}}",
      "expected either pluginRef or decisionTree",
    ],
    ["{current: {pluginRef: 5}}", "parameters.current.pluginRef: found 5, expected a text"],
    [
      "{current: {pluginRef: plover}}",
      'parameters.current.pluginRef: found "plover", expected a plugin that is declared',
    ],
    ["{current: {pluginRef: queue-scorer}}", 'found "queue-scorer" of type queue-scorer, expected a filter'],
    ["{current: {pluginRef: decision-tree-filter}}", "found plugins that name each other (decision-tree-filter)"],
    ["{curent: {pluginRef: least-queue-filter}}", "did you mean"],
    [
      "{current: {pluginRef: least-queue-filter}, nextOnFailure: {decisionTree: {current: {pluginRef: plover}}}}",
      'parameters.nextOnFailure.decisionTree.current.pluginRef: found "plover"',
    ],
    [
      "{current: {decisionTree: {current: {pluginRef: least-queue-filter}, next: {}}}}",
      "parameters.current.decisionTree.next: found a map, expected no other key",
    ],
    ["{current: {decisionTree: {}}}", "parameters.current.decisionTree.current: found nothing"],
    ["{current: {decisionTree: 5}}", "parameters.current.decisionTree: found 5, expected a map"],
  ];
  it.each(refused)("%s are refused: %s", (parameters, why) => expect(problem(parameters)).toContain(why));
});
