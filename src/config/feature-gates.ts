import type { ProblemList } from "./config-error.ts";
import { hint } from "./config-error.ts";
import type { ConfigNode } from "./config-node.ts";
import { describeNode } from "./config-node.ts";
import { RETIRED_GATES } from "./old-forms/retired-gates.ts";

/** Feature gates with their defaults (stock: cmd/epp/runner). */
const GATES = { flowControl: false, haPopulateNonLeaderDatastore: true } as const;

export type FeatureGates = Readonly<Record<keyof typeof GATES, boolean>>;

/** Reads `featureGates`: `name` or `name=true|false`. Of one named twice the last counts. */
export function readFeatureGates(node: ConfigNode | undefined, problems: ProblemList): FeatureGates {
  const gates: Record<keyof typeof GATES, boolean> = { ...GATES };
  if (!node || (node.kind === "scalar" && node.value === null)) return gates;
  if (node.kind !== "list") {
    problems.at(node.place, ["featureGates"], `found ${describeNode(node)}, expected a list of names`);
    return gates;
  }
  for (const [i, item] of node.items.entries()) {
    const path = ["featureGates", i];
    if (item.kind !== "scalar" || typeof item.value !== "string") {
      problems.at(item.place, path, `found ${describeNode(item)}, expected a name, or name=true`);
      continue;
    }
    const [name, ...rest] = item.value.split("=");
    const value = rest.length === 0 ? true : parseBool(rest[0]);
    if (Object.hasOwn(RETIRED_GATES, name)) {
      problems.old(item.place, path, RETIRED_GATES[name]);
    } else if (!Object.hasOwn(GATES, name)) {
      const known = Object.keys(GATES);
      problems.at(item.place, path, `found "${name}", expected one of ${known.join(", ")}${hint(name, known)}`);
    } else if (value === undefined) {
      problems.at(item.place, path, `found "${rest[0]}", expected true or false after ${name}=`);
    } else {
      gates[name as keyof typeof GATES] = value;
    }
  }
  return gates;
}

/** As Go's strconv.ParseBool, without regard to case and spaces around. */
function parseBool(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (["1", "t", "true"].includes(word)) return true;
  return ["0", "f", "false"].includes(word) ? false : undefined;
}
