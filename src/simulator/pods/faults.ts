import { badRequest } from "./api-error.ts";

/** What a pod does wrong on purpose. Left out or undefined means that it does it right. */
export interface PodFaults {
  /**
   * `/metrics`: never answers, answers bytes that are no metrics, answers 10 MB (real metrics at their end), answers
   * 500, or resets the connection.
   */
  readonly metrics?: "hang" | "garbage" | "huge" | "error" | "reset" | undefined;
  /**
   * Completions and chat: never answers, answers 500, resets the connection, or resets it in the middle of the
   * answer, after `dieAfterTokens` tokens if streamed and after half the body if not.
   */
  readonly requests?: "hang" | "error" | "reset" | "die" | undefined;
  /** Default 3. */
  readonly dieAfterTokens?: number | undefined;
  /** `/health`: answers 503, or never. */
  readonly health?: "error" | "hang" | undefined;
}

export const DIE_AFTER_TOKENS_DEFAULT = 3;

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  metrics: ["hang", "garbage", "huge", "error", "reset"],
  requests: ["hang", "error", "reset", "die"],
  health: ["error", "hang"],
};

/** Reads faults from a JSON object; `null` counts as left out. Throws ApiError that names what is allowed. */
export function readFaults(fields: Readonly<Record<string, unknown>>): PodFaults {
  const faults: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue;
    const choices = CHOICES[name];
    const fine = choices
      ? choices.includes(value as string)
      : name === "dieAfterTokens" && Number.isInteger(value) && (value as number) >= 1;
    if (!fine) {
      const allowed = Object.entries(CHOICES).map(([key, words]) => `${key} (${words.join(", ")})`);
      throw badRequest(
        `Cannot set fault ${name} to ${JSON.stringify(value)}: allowed are ${allowed.join(", ")}, dieAfterTokens (1 or more).`,
        name,
      );
    }
    faults[name] = value;
  }
  return faults;
}

const HUGE_BYTES = 10_000_000;

/** 10 MB of series that no one asked for. */
export function hugeMetrics(): string {
  const line = `sim:filler_total{engine="0",model_name="filler",place="0000000000"} 1.0\n`;
  return line.repeat(Math.ceil(HUGE_BYTES / line.length));
}

/** Bytes that are neither metrics nor UTF-8. */
export const garbageMetrics = (): Buffer =>
  Buffer.concat([
    Buffer.from('vllm:num_requests_waiting{engine="0 three\n# TYPE\nvllm:kv_cache_usage_perc{} NaNaN\n{{}}} = 5\n'),
    Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 37 + 128) % 256)),
  ]);
