import { PREFER_HEADER } from "./conditional-decode.ts";

/** Request headers that the core itself reads, lower case, new name first (`spec/epp-core.md` 2.2). */
export const OBJECTIVE_HEADERS = ["x-llm-d-inference-objective", "x-gateway-inference-objective"] as const;
export const FAIRNESS_HEADERS = ["x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"] as const;
export const MODEL_REWRITE_HEADERS = ["x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite"] as const;

/** All of them: every plan's `headerNames` holds these. */
export const CORE_HEADERS: readonly string[] = [
  ...OBJECTIVE_HEADERS,
  ...FAIRNESS_HEADERS,
  ...MODEL_REWRITE_HEADERS,
  PREFER_HEADER,
];

/** Flow of a request that names none. */
export const DEFAULT_FAIRNESS_ID = "default-flow";

/** The value under the first name that is present; undefined when none is. */
export function aliased(headers: Readonly<Record<string, string>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name];
    if (value !== undefined) return value;
  }
  return undefined;
}
