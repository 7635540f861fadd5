import { beforeAll, describe, expect, it } from "vitest";
import type { Case } from "../golden/cases.ts";
import { configsToFuzz, recordedSequences, type Sequence } from "./corpus.ts";
import { hostileStreams } from "./hostile.ts";
import { mutate } from "./mutations.ts";
import { Random } from "./random.ts";
import { shrunk } from "./shrink.ts";
import { type Outcome, Target } from "./target.ts";

/** Mutated messages to send; fewer when the time is up before. */
const COUNT = Number(process.env["FUZZ_COUNT"] ?? 20_000);
const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 600);
const SEED = Number(process.env["FUZZ_SEED"] ?? 1) >>> 0;
/** Answers are decoded, and compared with what was asked, once in so many streams. */
const READ_EVERY = 4;
/** Memory is measured so many times over a run, at first after this share of it. */
const MEASURES = 10;
const WARM_SHARE = 0.4;
/** One in so many configs is measured, too. */
const METERED_EVERY = 8;
/** Times that each hostile stream is served before, and after, memory is measured. */
const HOSTILE_ROUNDS = 5;
/** How much more memory may be in use at the end than after the warm-up. */
const GROWTH_BYTES_MAX = 8 << 20;

let sequences: readonly Sequence[];
let cases: readonly Case[];
beforeAll(() => {
  sequences = recordedSequences();
  cases = configsToFuzz();
  expect(sequences.length).toBeGreaterThan(1000);
  expect(cases.length).toBeGreaterThan(20);
});

/** Bytes in use after a collection. */
function bytesInUse(): number {
  gc!();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The stream of a number: the same for the same seed. */
function streamOf(number: number) {
  const random = new Random((SEED ^ Math.imul(number, 0x9e3779b1)) >>> 0);
  const mutated = mutate(random.of(sequences), sequences, random);
  const closed = random.oneIn(4) ? ("reset" as const) : ("halfClose" as const);
  return { ...mutated, closed, place: random.below(cases.length) };
}

/** How a stream went, in short; undefined when its answers were not read. */
function kindOf({ answers, status, isRead }: Outcome): string | undefined {
  if (!isRead) return undefined;
  if (status && status.code !== 0) return `ended with ${status.code}`;
  const refused = answers.find(({ type }) => type === "immediate_response");
  if (refused) return `refused with ${refused.code}`;
  if (answers.some(({ set_headers = [] }) => set_headers.some(([key]) => key === "x-gateway-destination-endpoint"))) {
    return "routed";
  }
  return answers.length > 0 ? "answered otherwise" : "unanswered";
}

/** What a failure leaves behind: the seed, the stream's number and the fewest bytes that still fail. */
function reproducer(number: number, error: unknown): string {
  const { messages, closed, place } = streamOf(number);
  const failsAlone = (tried: Sequence): boolean => {
    const target = new Target(cases[place]);
    try {
      target.serve(tried, closed);
      return false;
    } catch {
      return true;
    } finally {
      target.driver.close();
    }
  };
  const alone = failsAlone(messages);
  const least = alone ? shrunk(messages, failsAlone) : messages;
  return [
    `seed ${SEED}, stream ${number}, config ${cases[place].id}, ${closed}: ${String(error)}`,
    alone ? "fewest messages that fail, in base64:" : "it does not fail alone; its messages, in base64:",
    ...least.map((bytes) => `  ${Buffer.from(bytes).toString("base64")}`),
  ].join("\n");
}

describe("fuzz, in process", () => {
  it("each mutated stream gets an answer or a clean end, and nothing is left of it", () => {
    const targets = cases.map((testCase, i) => new Target(testCase, i % METERED_EVERY === 0));
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1000;
    const memory: number[] = [];
    const outcomes = new Map<string, number>();
    let count = 0;
    let number = 0;
    for (; count < COUNT && elapsed() < SECONDS; number++) {
      const { messages, mutatedCount, closed, place } = streamOf(number);
      try {
        const outcome = targets[place].serve(messages, closed, number % READ_EVERY === 0);
        const kind = kindOf(outcome);
        if (kind) outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
      } catch (error) {
        throw new Error(reproducer(number, error), { cause: error });
      }
      count += mutatedCount;
      const share = Math.max(count / COUNT, elapsed() / SECONDS);
      if (share > WARM_SHARE + (memory.length * (1 - WARM_SHARE)) / MEASURES) memory.push(bytesInUse());
    }
    memory.push(bytesInUse());
    for (const { driver } of targets) driver.close();
    const shown = memory.map((bytes) => (bytes / 2 ** 20).toFixed(1)).join(" ");
    console.log(
      `fuzz in process: seed ${SEED}, ${count} mutated messages in ${number} streams over ${targets.length} configs, ` +
        `${elapsed().toFixed(0)} s, 0 failures; MiB in use from ${WARM_SHARE * 100} % on: ${shown}`,
    );
    console.log(`of those read: ${[...outcomes].map(([kind, times]) => `${times} ${kind}`).join(", ")}`);
    expect(memory.at(-1)! - memory[0]).toBeLessThan(GROWTH_BYTES_MAX);
    // All ways to end are among them, so that none is left untried.
    for (const kind of ["routed", "refused with 400", "ended with 3", "unanswered"]) {
      expect(outcomes.get(kind) ?? 0).toBeGreaterThan(number / READ_EVERY / 100);
    }
  });

  it("hostile streams leave no memory behind", () => {
    const target = new Target(cases[0]);
    const streams = hostileStreams();
    const round = () => {
      for (const { messages } of streams) target.serve(messages, "reset", false);
    };
    for (let i = 0; i < HOSTILE_ROUNDS; i++) round();
    const before = bytesInUse();
    for (let i = 0; i < HOSTILE_ROUNDS; i++) round();
    expect(bytesInUse() - before).toBeLessThan(GROWTH_BYTES_MAX);
    target.driver.close();
  });

  it.each(hostileStreams())("$name is answered or ended, and nothing is left of it", async ({ messages, answer }) => {
    for (const testCase of cases.filter((_, i) => i % 6 === 0)) {
      const target = new Target(testCase);
      const { answers, status } = target.serve(messages);
      const got =
        answers[0]?.type === "immediate_response" ? answers[0].code : answers.length > 0 ? "routed" : "nothing";
      expect(got).toBe(answer);
      expect([0, 8]).toContain(status?.code);
      // A sum that is no number once would be none for good.
      expect(await target.metrics()).not.toMatch(/ (NaN|Nan|[+-]?Inf(inity)?)$/m);
      target.driver.close();
    }
  });
});
