import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PluginDefinition } from "../../core/plugin.ts";
import { pluginType } from "../list.ts";
import { keptBy, make, poolOf, requestOf } from "../test-support/fixture.ts";
import { contextLengthAware } from "../scorers/context-length-aware.ts";
import { byLabelFilter } from "./by-label-filter.ts";
import { labelSelectorFilter } from "./label-selector-filter.ts";

type Labels = Readonly<Record<string, string>>;

/** Pods with the given labels. */
function labelled(labels: readonly Labels[]) {
  const endpoints = poolOf(labels.map(() => ({})));
  for (const [slot, own] of labels.entries()) endpoints.describe(slot, { ...endpoints.description[slot], labels: own });
  return endpoints;
}

function kept(definition: PluginDefinition, params: unknown, labels: readonly Labels[]): number[] {
  const endpoints = labelled(labels);
  return keptBy(make(definition, params, endpoints), requestOf(endpoints));
}

const ROLES = [
  "decode",
  "prefill",
  "encode",
  "prefill-decode",
  "encode-prefill",
  "encode-prefill-decode",
  "both",
  "x",
  "",
];
const byRole: readonly Labels[] = [{}, ...ROLES.map((role) => ({ "llm-d.ai/role": role }))];

describe("role filters", () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["decode-filter", ["no label", "decode", "prefill-decode", "encode-prefill-decode", "both"]],
    ["prefill-filter", ["prefill", "prefill-decode", "encode-prefill", "encode-prefill-decode", "both"]],
    ["encode-filter", ["encode", "encode-prefill", "encode-prefill-decode"]],
  ];
  for (const [type, roles] of table) {
    it(`${type} keeps ${roles.join(", ")}`, () => {
      const names = ["no label", ...ROLES];
      expect(kept(pluginType(type)!, {}, byRole).map((i) => names[i])).toEqual(roles);
    });
  }
});

describe("by-label", () => {
  const pods: readonly Labels[] = [{ a: "x" }, { a: "y" }, {}, { a: "" }];

  it("keeps the values that are named", () => {
    expect(kept(byLabelFilter, { label: "a", validValues: ["x"] }, pods)).toEqual([0]);
  });

  it("keeps endpoints without the label where that is allowed", () => {
    expect(kept(byLabelFilter, { label: "a", validValues: ["x"], allowsNoLabel: true }, pods)).toEqual([0, 2]);
    expect(kept(byLabelFilter, { label: "a", allowsNoLabel: true }, pods)).toEqual([2]);
  });

  it("reads an absent label as an empty one", () => {
    expect(kept(byLabelFilter, { label: "a", validValues: [""] }, pods)).toEqual([2, 3]);
  });
});

describe("labels of names that every object knows", () => {
  it.each(["constructor", "toString", "hasOwnProperty"])("are absent until they are set: %s", (name) => {
    const pods: readonly Labels[] = [{}, { [name]: "x" }];
    expect(kept(byLabelFilter, { label: name, allowsNoLabel: true }, pods)).toEqual([0]);
    expect(kept(byLabelFilter, { label: name, validValues: ["x"] }, pods)).toEqual([1]);
    const selected = (operator: string) =>
      kept(labelSelectorFilter, { matchExpressions: [{ key: name, operator }] }, pods);
    expect(selected("Exists")).toEqual([1]);
    expect(selected("DoesNotExist")).toEqual([0]);
    expect(kept(contextLengthAware, { label: name, enableFiltering: true }, pods)).toEqual([0]);
  });
});

describe("label-selector-filter", () => {
  const pods: readonly Labels[] = [{ a: "x", b: "1" }, { a: "y" }, {}, { a: "x" }];
  const table: readonly (readonly [string, object, readonly number[]])[] = [
    ["all without conditions", {}, [0, 1, 2, 3]],
    ["equal labels", { matchLabels: { a: "x" } }, [0, 3]],
    ["all conditions together", { matchLabels: { a: "x", b: "1" } }, [0]],
    ["In", { matchExpressions: [{ key: "a", operator: "In", values: ["x", "y"] }] }, [0, 1, 3]],
    ["NotIn, absent ones too", { matchExpressions: [{ key: "a", operator: "NotIn", values: ["x"] }] }, [1, 2]],
    ["Exists", { matchExpressions: [{ key: "b", operator: "Exists" }] }, [0]],
    ["DoesNotExist", { matchExpressions: [{ key: "b", operator: "DoesNotExist" }] }, [1, 2, 3]],
    [
      "labels and expressions",
      { matchLabels: { a: "x" }, matchExpressions: [{ key: "b", operator: "DoesNotExist" }] },
      [3],
    ],
  ];
  for (const [what, params, places] of table) {
    it(`keeps ${what}`, () => {
      expect(kept(labelSelectorFilter, params, pods)).toEqual(places);
      expect(kept(pluginType("by-label-selector")!, params, pods)).toEqual(places);
    });
  }

  it("splits any pool in two: In and NotIn, Exists and DoesNotExist", () => {
    const labels = fc.dictionary(fc.constantFrom("a", "b"), fc.constantFrom("x", "y", ""));
    const pairs = [
      ["In", "NotIn", { values: ["x", ""] }],
      ["Exists", "DoesNotExist", {}],
    ] as const;
    fc.assert(
      fc.property(fc.array(labels, { maxLength: 12 }), fc.constantFrom(...pairs), (pool, [yes, no, more]) => {
        const places = (operator: string) =>
          kept(labelSelectorFilter, { matchExpressions: [{ key: "a", operator, ...more }] }, pool);
        expect([...places(yes), ...places(no)].sort((a, b) => a - b)).toEqual([...pool.keys()]);
      }),
    );
  });
});
