import { z } from "zod";
import { labelOf } from "../label-of.ts";

const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const PREFIX_CHARACTERS_MAX = 253;
const NAME_CHARACTERS_MAX = 63;

/** Labels by key. */
export type Labels = Readonly<Record<string, string | undefined>>;

/** True for what Kubernetes takes as the key of a label: a name of up to 63 characters, with a DNS name before a slash. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  if (prefix !== undefined && (prefix.length > PREFIX_CHARACTERS_MAX || !PREFIX.test(prefix))) return false;
  return name.length <= NAME_CHARACTERS_MAX && NAME.test(name);
}

/** True for what Kubernetes takes as the value of a label: "", or up to 63 letters, digits, -, _ and . */
export const isLabelValue = (value: string): boolean =>
  value === "" || (value.length <= NAME_CHARACTERS_MAX && NAME.test(value));

const labelKey = z.string().refine(isLabelKey, 'the key of a label, such as "llm-d.ai/role"');

const labelValue = z.string().refine(isLabelValue, "the value of a label: up to 63 letters, digits, -, _ and .");

const expression = z
  .strictObject({
    key: labelKey.describe("The label that is looked at."),
    operator: z
      .enum(["In", "NotIn", "Exists", "DoesNotExist"])
      .describe("NotIn holds for an endpoint without it, too."),
    values: z.array(labelValue).default([]).describe("What In and NotIn compare with; none for the others."),
  })
  .superRefine(({ operator, values }, context) => {
    const compares = operator === "In" || operator === "NotIn";
    if (compares === values.length > 0) return;
    const message = compares ? `values, as the operator is ${operator}` : `no values, as the operator is ${operator}`;
    context.addIssue({ code: "custom", path: ["values"], message });
  });

/** A Kubernetes LabelSelector; an empty one selects everything. */
export const labelSelector = z.strictObject({
  matchLabels: z.record(labelKey, labelValue).default({}).describe("Labels and the value that each must have."),
  matchExpressions: z.array(expression).default([]).describe("Further conditions, all of which must hold."),
});

const HOLDS: Readonly<Record<string, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

export type LabelSelector = z.infer<typeof labelSelector>;

/** True when labels meet all conditions. NotIn and DoesNotExist hold where the label is absent, as in Kubernetes. */
export function selects({ matchLabels, matchExpressions }: LabelSelector, labels: Labels): boolean {
  for (const key in matchLabels) if (labelOf(labels, key) !== matchLabels[key]) return false;
  return matchExpressions.every(({ key, operator, values }) => HOLDS[operator](labelOf(labels, key), values));
}
