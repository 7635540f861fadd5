import { z } from "zod";
import type { PluginReference } from "../../core/plugin.ts";

/** A filter of the config, or a tree in its place. Exactly one of the two. */
export interface TreeEntry {
  readonly pluginRef?: string | undefined;
  readonly decisionTree?: Tree | undefined;
}

/** A filter, and what comes after it. */
export interface Tree {
  readonly current: TreeEntry;
  /** Of what it keeps, when it keeps any. */
  readonly nextOnSuccess?: TreeEntry | undefined;
  /** Of what it was given, when it keeps none. */
  readonly nextOnFailure?: TreeEntry | undefined;
  /** In place of either where that is not there. */
  readonly nextOnSuccessOrFailure?: TreeEntry | undefined;
}

const STEPS = ["current", "nextOnSuccess", "nextOnFailure", "nextOnSuccessOrFailure"] as const;

// Read by itself, so that the schema of the tree is finite: what describes it for editors can't describe a circle.
const nestedTree = z.unknown().transform((value, context): Tree => {
  const { data, error } = decisionTreeParams.safeParse(value);
  if (data) return data;
  for (const issue of error.issues) {
    const path = [...issue.path];
    if (issue.code === "unrecognized_keys") path.push(issue.keys[0]);
    context.addIssue({ ...(issue as { code: "custom"; message: string }), path, ...wordsOf(issue) });
  }
  return z.NEVER;
});

const wordsOf = ({ code }: z.core.$ZodIssue): { readonly message?: string } =>
  code === "unrecognized_keys" ? { message: `no other key than ${STEPS.join(", ")}, pluginRef and decisionTree` } : {};

const entry = z
  .strictObject({
    pluginRef: z.string().min(1, "the name of a filter").optional().describe("A filter that is declared."),
    decisionTree: nestedTree.optional().describe("A tree of the same form."),
  })
  .refine(({ pluginRef, decisionTree }) => (pluginRef === undefined) !== (decisionTree === undefined), {
    message: "either pluginRef or decisionTree",
  });

/** Parameters of decision-tree-filter. */
export const decisionTreeParams: z.ZodType<Tree> = z.strictObject({
  current: entry.describe("The first filter."),
  nextOnSuccess: entry.optional().describe("What filters further the endpoints that current keeps."),
  nextOnFailure: entry.optional().describe("What filters in its place, when current keeps none."),
  nextOnSuccessOrFailure: entry.optional().describe("What comes next where the two above do not tell."),
});

/** The filters that a tree names, with where it names them. */
export function filtersOf(tree: Tree, path: readonly string[] = []): readonly PluginReference[] {
  return STEPS.flatMap((step) => {
    const { pluginRef, decisionTree } = tree[step] ?? {};
    if (decisionTree) return filtersOf(decisionTree, [...path, step, "decisionTree"]);
    return pluginRef === undefined ? [] : { path: [...path, step, "pluginRef"], name: pluginRef, point: "filter" };
  });
}
