import { Candidates } from "../../core/candidates.ts";
import type { PluginContext, PluginInstance, PluginRequest } from "../../core/plugin.ts";
import { defineFilter } from "../define.ts";
import type { Tree, TreeEntry } from "./decision-tree-params.ts";
import { decisionTreeParams, filtersOf } from "./decision-tree-params.ts";

/**
 * Runs other filters as a flow chart: `current` first; `nextOnSuccess` gets what it keeps, when it keeps any;
 * `nextOnFailure` gets what `current` was given, when it keeps none; `nextOnSuccessOrFailure` stands for either that is
 * not there. Without a next one, what `current` keeps stays. Each is a declared filter or a tree of the same form.
 *
 * Of GIE 0.5, for configs of that time: today profiles run filters in order, and scorers weigh.
 * Source: scheduling/framework/plugins/filter of GIE 0.5.
 */
export const decisionTreeFilter = defineFilter({
  type: "decision-tree-filter",
  gone: "a type of GIE 0.5; profiles run filters in order today, and scorers weigh",
  params: decisionTreeParams,
  references: (tree) => filtersOf(tree),
  example: `plugins:
  - type: low-queue-filter
  - type: least-queue-filter
  - type: least-kv-cache-filter
  - type: decision-tree-filter
    parameters:
      current:
        pluginRef: low-queue-filter
      nextOnSuccess:
        pluginRef: least-kv-cache-filter
      nextOnFailure:
        decisionTree:
          current:
            pluginRef: least-queue-filter
          nextOnSuccessOrFailure:
            pluginRef: least-kv-cache-filter
  - type: random-picker
schedulingProfiles:
  - name: default
    plugins:
      - pluginRef: decision-tree-filter
      - pluginRef: random-picker
`,
  create(tree, context) {
    const run = treeOf(tree, context);
    return {
      filter(request, candidates, keep) {
        const places = run(
          request,
          candidates,
          Int32Array.from({ length: candidates.count }, (_, i) => i),
        );
        keep.set(places);
        return places.length;
      },
    };
  },
});

/** Filters some places of the candidates: gives those that stay. */
type Step = (request: PluginRequest, all: Candidates, places: Int32Array) => Int32Array;

function treeOf(tree: Tree, context: PluginContext): Step {
  const step = (entry: TreeEntry | undefined) => entry && stepOf(entry, context);
  const current = stepOf(tree.current, context);
  const either = step(tree.nextOnSuccessOrFailure);
  const onSuccess = step(tree.nextOnSuccess) ?? either;
  const onFailure = step(tree.nextOnFailure) ?? either;
  return (request, all, places) => {
    const kept = current(request, all, places);
    if (kept.length > 0) return onSuccess ? onSuccess(request, all, kept) : kept;
    return onFailure ? onFailure(request, all, places) : kept;
  };
}

function stepOf({ pluginRef = "", decisionTree }: TreeEntry, context: PluginContext): Step {
  if (decisionTree) return treeOf(decisionTree, context);
  const plugin = context.plugin(pluginRef);
  if (!plugin?.filter) throw new Error(`Cannot make ${context.name}: found no filter named "${pluginRef}"`);
  return filterStep(plugin as PluginInstance & Required<Pick<PluginInstance, "filter">>);
}

const filterStep =
  (plugin: Required<Pick<PluginInstance, "filter">>): Step =>
  (request, all, places) => {
    const some = new Candidates(places.length);
    for (const place of places) some.push(all.rows[place], all.slots[place]);
    const keep = new Int32Array(places.length);
    const kept = plugin.filter(request, some, keep);
    return keep.subarray(0, kept).map((i) => places[i]);
  };
