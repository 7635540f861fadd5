import type { CounterRow } from "../../core/plugin.ts";

/** Which stages ran in pods of their own. */
export type StageDecision = "decode-only" | "prefill-decode" | "encode-decode" | "encode-prefill-decode";

/** Distinct models before further ones count as `other`. */
const MODELS_MAX = 1000;
/** Characters of a model's name on the page; clients name models as they like. */
const MODEL_CHARS_MAX = 256;
const OTHER = "other";

/** Requests by target model and decision, for the metrics page. */
export class StageDecisions {
  readonly #counter: string;
  readonly #counts = new Map<string, Map<StageDecision, number>>();

  /** @param counter Name of its family. */
  constructor(counter: string) {
    this.#counter = counter;
  }

  /** Counts one request; `model` "" is told as `unknown`, as stock. */
  add(model: string, decision: StageDecision): void {
    const counts = this.#of(model || "unknown");
    counts.set(decision, (counts.get(decision) ?? 0) + 1);
  }

  rows(): readonly CounterRow[] {
    return [...this.#counts].flatMap(([model_name, counts]) =>
      [...counts].map(([decision_type, value]) => ({
        counter: this.#counter,
        labels: { model_name, decision_type },
        value,
      })),
    );
  }

  #of(model: string): Map<StageDecision, number> {
    const known = this.#counts.get(model);
    if (known) return known;
    const full = this.#counts.size >= MODELS_MAX || model.length > MODEL_CHARS_MAX;
    if (full && model !== OTHER) return this.#of(OTHER);
    const counts = new Map<StageDecision, number>();
    this.#counts.set(model, counts);
    return counts;
  }
}

/** The decision's name, by the stages that ran apart from decode. */
export function stageDecision(encode: boolean, prefill: boolean): StageDecision {
  if (encode) return prefill ? "encode-prefill-decode" : "encode-decode";
  return prefill ? "prefill-decode" : "decode-only";
}
