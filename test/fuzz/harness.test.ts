import { describe, expect, it } from "vitest";
import { configsToFuzz, recordedSequences } from "./corpus.ts";
import { mutate } from "./mutations.ts";
import { Random } from "./random.ts";
import { shrunk } from "./shrink.ts";
import { Target } from "./target.ts";

describe("the fuzz run itself", () => {
  it("finds what one message does, and gives the fewest bytes that do it", () => {
    const bytes = (...values: readonly number[]) => Uint8Array.from(values);
    const messages = [bytes(1, 2, 3), bytes(9, 9, 7, 9, 9, 8, 9), bytes(4)];
    const fails = (tried: readonly Uint8Array[]) => tried.some((message) => message.includes(7) && message.includes(8));
    expect(shrunk(messages, fails).map((message) => [...message])).toEqual([[7, 8]]);
  });

  it("fails on an error that should not be, and on a request that is left", () => {
    const [config] = configsToFuzz();
    const [sequence] = recordedSequences();
    const failing = (harm: (target: Target) => void) => {
      const target = new Target(config);
      harm(target);
      try {
        target.serve(sequence);
      } finally {
        target.driver.close();
      }
    };
    expect(() => failing(() => undefined)).not.toThrow();
    expect(() => failing(({ errors }) => errors.push(new Error("broken plugin")))).toThrow(/broken plugin/);
    const facts = { requestId: "left", bodyless: false, parser: "openai-parser", model: "m", rewritable: true };
    const rest = { stream: false, maxOutputTokens: -1, cacheSalt: "", bodyBytes: 1, inputTokens: -1, blocks: [] };
    const left = { ...facts, ...rest, headers: {} };
    expect(() => failing(({ driver }) => driver.arrive(left, { decided: () => undefined }))).toThrow(
      /the core holds 1 requests/,
    );
  });

  it("makes the same streams of the same seed, and others of another", () => {
    const sequences = recordedSequences();
    const streams = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () =>
        mutate(random.of(sequences), sequences, random).messages.map((message) =>
          Buffer.from(message).toString("base64"),
        ),
      );
    };
    expect(streams(1)).toEqual(streams(1));
    expect(streams(2)).not.toEqual(streams(1));
  });
});
