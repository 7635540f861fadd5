import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chainBlocks, chainRoot } from "../../core/block-ids.ts";
import type { BurstOptions, BurstReplica } from "./burst-placement.ts";
import { placeBurst } from "./burst-placement.ts";
import type { PrefixHashes } from "./prefix-hashes.ts";

const OPTIONS: BurstOptions = {
  maxPerReplica: Number.POSITIVE_INFINITY,
  minColocateBlocks: 0,
  balancesTokens: false,
  indexBytesMax: 1 << 20,
};

/** Prompts whose blocks are letters: equal letters up to a place are an equal prefix. */
function prefixOf(...prompts: readonly string[]): PrefixHashes {
  const hashes = new Uint32Array(2 * prompts.join("").length);
  let at = 0;
  for (const prompt of prompts) {
    const ids = Uint32Array.from(prompt.split("").flatMap((letter) => [letter.charCodeAt(0), 0]));
    at += chainBlocks(chainRoot("m", ""), ids, prompt.length, hashes, at);
  }
  return { hashes, counts: prompts.map(({ length }) => length) };
}

const replicas = (...running: readonly number[]): BurstReplica[] =>
  running.map((count, i) => ({ id: `pod-${i}`, running: count }));

const place = (prompts: readonly string[], pods: readonly BurstReplica[], options: Partial<BurstOptions> = {}) => [
  ...placeBurst(
    prompts.map((prompt) => prefixOf(...prompt.split("|"))),
    pods,
    { ...OPTIONS, ...options },
  ),
];

describe("the placement of a burst", () => {
  const table: [string, string[], BurstReplica[], Partial<BurstOptions>, number[]][] = [
    ["equal prompts meet", ["ab", "cd", "ab", "ab"], replicas(0, 0), {}, [0, -1, 0, 0]],
    ["two groups share the replicas", ["ab", "cd", "ab", "cd"], replicas(0, 0), {}, [0, 1, 0, 1]],
    ["those of most blocks are placed first", ["ab", "cde", "ab", "cde"], replicas(0, 0), {}, [1, 0, 1, 0]],
    ["equal loads go to fewer running requests", ["ab", "ab"], replicas(5, 2, 3), {}, [1, 1]],
    ["and then to the lower id", ["ab", "ab"], [...replicas(1, 1)].reverse(), {}, [1, 1]],
    ["no prompt, no place", ["", "", "ab", "ab"], replicas(0), {}, [-1, -1, 0, 0]],
    ["a prompt that only begins alike stays alone", ["ab", "abc"], replicas(0), {}, [-1, -1]],
    ["no replica, no place", ["ab", "ab"], [], {}, [-1, -1]],
    ["a group spills over", ["a", "a", "a", "a", "a"], replicas(0, 0, 0), { maxPerReplica: 2 }, [0, 0, 1, 1, 2]],
    [
      "and goes round one by one when all are full",
      Array<string>(7).fill("a"),
      replicas(0, 0),
      { maxPerReplica: 2 },
      [0, 0, 1, 1, 0, 1, 0],
    ],
    ["a limit is a group's, not a replica's", ["a", "a", "b", "b"], replicas(0), { maxPerReplica: 2 }, [0, 0, 0, 0]],
    [
      "single prompts that share a beginning meet",
      ["abc", "abd", "xyz"],
      replicas(0, 0),
      { minColocateBlocks: 2 },
      [0, 1, -1],
    ],
    [
      "while their replica has less than its share",
      ["abc", "abd", "abe", "xyz", "xyw", "xyv"],
      replicas(0, 0),
      { minColocateBlocks: 2 },
      [0, 0, 0, 1, 1, 1],
    ],
    [
      "a shorter one meets the one that contains it",
      ["abcd", "ab", "q"],
      replicas(0),
      { minColocateBlocks: 2 },
      [0, 0, -1],
    ],
    ["a beginning below the least counts for nothing", ["abc", "axy"], replicas(0), { minColocateBlocks: 2 }, [-1, -1]],
    ["a single prompt joins a group", ["ab", "ab", "abc"], replicas(0, 0, 0), { minColocateBlocks: 2 }, [0, 0, 1]],
    [
      "a group joins another's replica within its share",
      ["abc", "abc", "abd", "abd", "x", "x", "y", "y"],
      replicas(0, 0),
      { minColocateBlocks: 2 },
      [0, 0, 0, 0, 1, 1, 1, 1],
    ],
    [
      "load in blocks counts a prompt once, however many ask it",
      ["abcdef", "abcdef", "gh", "gh", "ij", "ij", "kl", "kl"],
      replicas(0, 0),
      { balancesTokens: true },
      [0, 0, 1, 1, 1, 1, 1, 1],
    ],
    [
      "load in blocks leaves out what was placed there before",
      ["abcdef", "abcdef", "abcdeg", "abcdeg", "xyz", "xyz"],
      replicas(0, 0),
      { balancesTokens: true, minColocateBlocks: 1 },
      [0, 0, 0, 0, 1, 1],
    ],
    [
      "several prompts count as one after the other",
      ["ab|cd", "ab|cd", "ab|ce"],
      replicas(0),
      { minColocateBlocks: 3 },
      [0, 0, 0],
    ],
    ["and their bounds matter", ["ab|c", "a|bc", "abc"], replicas(0), {}, [-1, -1, -1]],
  ];
  for (const [what, prompts, pods, options, expected] of table) {
    it(what, () => {
      expect(place(prompts, pods, options)).toEqual(expected);
    });
  }
});

/** The same by the words of `spec/plugins.md` 6.2, over letters: no hash, no index. */
function model(prompts: readonly string[], pods: readonly BurstReplica[], options: BurstOptions): number[] {
  const { maxPerReplica: most, minColocateBlocks: least, balancesTokens } = options;
  const result = prompts.map(() => -1);
  if (pods.length === 0) return result;
  const filled = [...new Set(prompts)].filter((prompt) => prompt !== "");
  const askers = (prompt: string) => prompts.flatMap((other, i) => (other === prompt ? [i] : []));
  const shares = (prompt: string) =>
    least > 0 &&
    prompt.length >= least &&
    prompts.filter((other) => other.length >= least && other.slice(0, least) === prompt.slice(0, least)).length > 1;
  const byLength = (some: string[]) => some.sort((a, b) => b.length - a.length);
  const units = [
    ...byLength(filled.filter((prompt) => askers(prompt).length > 1)),
    ...byLength(filled.filter((prompt) => askers(prompt).length === 1 && shares(prompt))),
  ];
  const weight = (prompt: string) => (balancesTokens ? prompt.length : askers(prompt).length);
  const share = Math.ceil(units.reduce((sum, prompt) => sum + weight(prompt), 0) / pods.length);
  const held: string[][] = pods.map(() => []);
  const load = pods.map(() => 0);
  const common = (a: string, b: string) => {
    let n = 0;
    while (n < a.length && n < b.length && a[n] === b[n]) n++;
    return n;
  };
  const matchOn = (prompt: string, pod: number) => Math.max(0, ...held[pod].map((other) => common(prompt, other)));
  const lightest = (some: readonly number[]) =>
    [...some].sort(
      (a, b) => load[a] - load[b] || pods[a].running - pods[b].running || (pods[a].id < pods[b].id ? -1 : 1),
    )[0];
  for (const prompt of units) {
    const here = pods.map(() => 0);
    const before = pods.map((_, pod) => matchOn(prompt, pod));
    const all = [...pods.keys()];
    const waiting = askers(prompt);
    for (let first = true; waiting.length > 0; first = false) {
      const roomy = all.filter((pod) => here[pod] < most);
      const near = first && least > 0 ? roomy.filter((pod) => load[pod] < share && before[pod] >= least) : [];
      const nearest = Math.max(...near.map((pod) => before[pod]));
      const pod =
        near.length > 0
          ? lightest(near.filter((one) => before[one] === nearest))
          : lightest(roomy.length > 0 ? roomy : all);
      const run = waiting.splice(0, Math.max(1, Math.min(waiting.length, most - here[pod])));
      for (const request of run) result[request] = pod;
      if (!balancesTokens) load[pod] += run.length;
      else if (here[pod] === 0) load[pod] += Math.max(0, prompt.length - before[pod]);
      here[pod] += run.length;
    }
    for (const pod of all) if (here[pod] > 0) held[pod].push(prompt);
  }
  return result;
}

const letters = fc.array(fc.constantFrom("a", "b"), { maxLength: 5 }).map((some) => some.join(""));
const burst = fc.record({
  prompts: fc.array(letters, { maxLength: 24 }),
  running: fc.array(fc.nat(3), { maxLength: 5 }),
  maxPerReplica: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 4 })),
  minColocateBlocks: fc.nat(4),
  balancesTokens: fc.boolean(),
});

describe("the placement of any burst", () => {
  it("equals a model of its words", () => {
    fc.assert(
      fc.property(burst, ({ prompts, running, ...options }) => {
        const pods = replicas(...running);
        const given = { ...OPTIONS, ...options };
        expect(place(prompts, pods, given)).toEqual(model(prompts, pods, given));
      }),
      { numRuns: 500 },
    );
  });

  it("puts equal prompts together, no more of them on a replica than allowed while there is room", () => {
    fc.assert(
      fc.property(burst, ({ prompts, running, ...options }) => {
        const pods = replicas(...running);
        const placed = place(prompts, pods, options);
        for (const prompt of new Set(prompts)) {
          const spots = placed.filter((_, i) => prompts[i] === prompt);
          if (prompt === "" || pods.length === 0) expect(new Set(spots)).toEqual(new Set([-1]));
          else if (spots.length > 1) {
            expect(spots).not.toContain(-1);
            const most = options.maxPerReplica * pods.length >= spots.length ? options.maxPerReplica : spots.length;
            for (const one of pods.keys())
              expect(spots.filter((spot) => spot === one).length).toBeLessThanOrEqual(most);
            if (options.maxPerReplica === Number.POSITIVE_INFINITY) expect(new Set(spots).size).toBe(1);
          }
        }
      }),
    );
  });

  it("is done in one go with 1,000 replicas and as many requests", () => {
    const pods = replicas(...Array.from({ length: 1000 }, (_, i) => i % 7));
    const prompts = Array.from({ length: 1000 }, (_, i) => "abcdefgh".slice(0, 1 + (i % 8)));
    const placed = place(prompts, pods, { maxPerReplica: 1, minColocateBlocks: 2, balancesTokens: true });
    expect(placed.every((pod) => pod >= 0)).toBe(true);
  });

  it("shares out as many requests of one beginning as a window takes, in steps that grow no faster than they do", () => {
    const requests = Array.from({ length: 100_000 }, (_, i) => ({ hashes: Uint32Array.of(1, 0, i, 1), counts: [2] }));
    const placed = placeBurst(requests, replicas(0, 0, 0, 0), { ...OPTIONS, minColocateBlocks: 1 });
    const counts = [0, 0, 0, 0];
    for (const replica of placed) counts[replica]++;
    expect(counts).toEqual([25_000, 25_000, 25_000, 25_000]);
  });
});
