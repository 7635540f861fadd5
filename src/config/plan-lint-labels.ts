import type { PluginEntry } from "./plugin-entry.ts";

/** Values of a label with which a filter keeps an endpoint; "" stands for an endpoint without the label. */
interface LabelDemand {
  readonly label: string;
  readonly values: ReadonlySet<string>;
}

const ROLE_LABEL = "llm-d.ai/role";
/** What the role filters keep (`spec/plugins.md` 3.1). */
const ROLES: Readonly<Record<string, readonly string[]>> = {
  "decode-filter": ["", "decode", "prefill-decode", "both", "encode-prefill-decode"],
  "prefill-filter": ["prefill", "encode-prefill", "prefill-decode", "both", "encode-prefill-decode"],
  "encode-filter": ["encode", "encode-prefill", "encode-prefill-decode"],
};

/** What a filter demands of labels, as far as it can be told from its parameters; nothing for other filters. */
export function labelDemands({ definition, params }: PluginEntry): readonly LabelDemand[] {
  const { type } = definition;
  if (type in ROLES) return [{ label: ROLE_LABEL, values: new Set(ROLES[type]) }];
  const given = (typeof params === "object" && params !== null ? params : {}) as Record<string, unknown>;
  if (type === "by-label") return byLabel(given);
  return type === "label-selector-filter" || type === "by-label-selector" ? bySelector(given) : [];
}

function byLabel({ label, validValues, allowsNoLabel }: Record<string, unknown>): readonly LabelDemand[] {
  if (typeof label !== "string") return [];
  return [{ label, values: new Set([...texts(validValues), ...(allowsNoLabel === true ? [""] : [])]) }];
}

function bySelector({ matchLabels, matchExpressions }: Record<string, unknown>): readonly LabelDemand[] {
  const labels = typeof matchLabels === "object" && matchLabels !== null ? Object.entries(matchLabels) : [];
  const equal = labels.flatMap(([label, value]) =>
    typeof value === "string" ? [{ label, values: new Set([value]) }] : [],
  );
  const expressions = Array.isArray(matchExpressions) ? (matchExpressions as Record<string, unknown>[]) : [];
  const within = expressions.flatMap(({ key, operator, values }) => {
    if (typeof key !== "string") return [];
    if (operator === "In") return [{ label: key, values: new Set(texts(values)) }];
    return operator === "DoesNotExist" ? [{ label: key, values: new Set([""]) }] : [];
  });
  return [...equal, ...within];
}

const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
