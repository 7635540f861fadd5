import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  drain,
  hashName,
  logSink,
  requestOf,
  SMALL_ENGINE,
  type LogLine,
  type TokenRequest,
} from "../test-support/engine-log.ts";
import { createEngine } from "./engine.ts";
import type { EngineOptions } from "./engine-types.ts";

/** Few different tokens in long runs, so that prompts share prefixes. */
const promptOf = (family: number, shared: number, own: number, salt: number): number[] => [
  ...Array.from({ length: shared }, (_, i) => family * 1000 + i),
  ...Array.from({ length: own }, (_, i) => 50_000 + salt * 100 + i),
];
const arrival = fc.record({
  family: fc.integer({ min: 0, max: 2 }),
  shared: fc.integer({ min: 0, max: 30 }),
  own: fc.integer({ min: 1, max: 14 }),
  output: fc.integer({ min: 1, max: 16 }),
  gapUs: fc.integer({ min: 0, max: 120 }),
  cancelAfterUs: fc.option(fc.integer({ min: 0, max: 300 }), { freq: 4, nil: undefined }),
});
type Arrival = typeof arrival extends fc.Arbitrary<infer T> ? T : never;
const options = fc.record({
  gpuBlocks: fc.integer({ min: 17, max: 40 }),
  seqsMax: fc.integer({ min: 1, max: 6 }),
  batchedTokensMax: fc.integer({ min: 1, max: 40 }),
  longPrefillTokensMax: fc.constantFrom(0, 8),
  cacheGeneratedTokens: fc.boolean(),
});

const toRequest = (a: Arrival, i: number): TokenRequest =>
  requestOf(`r${i}`, promptOf(a.family, a.shared, a.own, i), promptOf(9, a.output, 0, 0));

/** Plays arrivals and cancels in order of time; returns the log, the engine and who was really cancelled. */
function play(arrivals: readonly Arrival[], engineOptions: EngineOptions) {
  const engine = createEngine<TokenRequest>(engineOptions);
  const lines: LogLine[] = [];
  const sink = logSink(lines);
  const requests = arrivals.map(toRequest);
  const happenings: { atUs: number; request: TokenRequest; cancel: boolean }[] = [];
  let nowUs = 0;
  for (const [i, a] of arrivals.entries()) {
    nowUs += a.gapUs;
    happenings.push({ atUs: nowUs, request: requests[i], cancel: false });
    if (a.cancelAfterUs !== undefined) {
      happenings.push({ atUs: nowUs + a.cancelAfterUs, request: requests[i], cancel: true });
    }
  }
  happenings.sort((a, b) => a.atUs - b.atUs);
  const cancelled = new Set<string>();
  for (const { atUs, request, cancel } of happenings) {
    engine.advance(atUs, sink);
    if (!cancel) engine.submit(atUs, request);
    else if (engine.cancel(request.id)) cancelled.add(request.id);
  }
  const endUs = drain(engine, sink);
  return { engine, lines, sink, requests, cancelled, endUs: Math.max(endUs, nowUs) };
}

const arrivals = fc.array(arrival, { minLength: 1, maxLength: 25 });

describe("any arrivals and cancels", () => {
  it("end with every block free, and each request that was not cancelled answered in full", () => {
    fc.assert(
      fc.property(arrivals, options, (list, settings) => {
        const { engine, lines, requests, cancelled } = play(list, { ...SMALL_ENGINE, ...settings });
        const signals = engine.signals();
        expect(signals.freeBlocks).toBe(signals.usableBlocks);
        expect(signals.runningRequests + signals.waitingRequests).toBe(0);
        for (const request of requests) {
          const tokens = lines.filter((line) => line[0] === "token" && line[2] === request.id).map((line) => line[3]);
          expect(tokens).toEqual(tokens.map((_, i) => i));
          const ends = lines.filter((line) => line[0] === "finished" && line[2] === request.id).length;
          if (cancelled.has(request.id)) expect(ends).toBe(0);
          else expect([ends, tokens.length]).toEqual([1, request.outputTokens]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("leave the queue in order of arrival, and no hit covers a whole prompt", () => {
    fc.assert(
      fc.property(arrivals, options, (list, settings) => {
        const { lines, requests } = play(list, { ...SMALL_ENGINE, ...settings });
        const first = lines.filter((line) => line[0] === "scheduled" && line[4] === false);
        const order = first.map((line) => Number(String(line[2]).slice(1)));
        expect(order).toEqual([...order].sort((a, b) => a - b));
        for (const line of first) {
          const request = requests[Number(String(line[2]).slice(1))];
          expect(line[3]).toBeLessThanOrEqual(request.promptTokens - 1);
          expect(Number(line[3]) % SMALL_ENGINE.blockSizeTokens).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never put more into a step than its budget and its seats, and time never goes back", () => {
    fc.assert(
      fc.property(arrivals, options, (list, settings) => {
        const { lines } = play(list, { ...SMALL_ENGINE, ...settings });
        let lastUs = 0;
        for (const line of lines) {
          const timeUs = Number(line[0] === "step" ? line[2] : line[1]);
          expect(timeUs).toBeGreaterThanOrEqual(lastUs);
          lastUs = timeUs;
          if (line[0] !== "step") continue;
          expect(Number(line[3]) + Number(line[4])).toBeLessThanOrEqual(settings.batchedTokensMax);
          expect(Number(line[4])).toBeLessThanOrEqual(settings.seqsMax);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("give the same events when they come again", () => {
    fc.assert(
      fc.property(arrivals, options, (list, settings) => {
        const engineOptions = { ...SMALL_ENGINE, ...settings };
        expect(play(list, engineOptions).lines).toEqual(play(list, engineOptions).lines);
      }),
      { numRuns: 100 },
    );
  });

  it("leave in the cache what the block events say, no more and no less", () => {
    fc.assert(
      fc.property(arrivals, options, (list, settings) => {
        const { engine, lines, sink, requests, endUs } = play(list, { ...SMALL_ENGINE, ...settings });
        let nowUs = endUs;
        for (const request of requests) {
          const holders = countHolders(lines);
          const most = Math.floor((request.promptTokens - 1) / SMALL_ENGINE.blockSizeTokens);
          let blocks = 0;
          while (blocks < most && holders.get(hashName(request, blocks))) blocks++;
          lines.length = 0;
          for (const [name, count] of holders) for (let i = 0; i < count; i++) lines.push(["stored", nowUs, name]);
          engine.submit(++nowUs, { ...request, id: `probe ${request.id}` });
          nowUs = drain(engine, sink);
          const hit = lines.find((line) => line[0] === "scheduled")![3];
          expect(hit).toBe(blocks * SMALL_ENGINE.blockSizeTokens);
        }
      }),
      { numRuns: 150 },
    );
  });
});

function countHolders(lines: readonly LogLine[]): Map<string, number> {
  const holders = new Map<string, number>();
  for (const [kind, , name] of lines) {
    const count = holders.get(String(name)) ?? 0;
    if (kind === "stored") holders.set(String(name), count + 1);
    if (kind === "removed") holders.set(String(name), count - 1);
  }
  return holders;
}

describe("requests one after the other", () => {
  it("hit what a plain list of blocks by their whole prefix says, with eviction", () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 17, max: 30 }), (list, gpuBlocks) => {
        const engine = createEngine<TokenRequest>({ ...SMALL_ENGINE, gpuBlocks });
        const oracle = naiveCache(gpuBlocks - 1, SMALL_ENGINE.blockSizeTokens);
        let nowUs = 0;
        for (const [i, a] of list.entries()) {
          const request = toRequest(a, i);
          const lines: LogLine[] = [];
          engine.submit(++nowUs, request);
          nowUs = drain(engine, logSink(lines));
          expect(lines.find((line) => line[0] === "scheduled")![3]).toBe(oracle(request));
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A cache as a list of blocks, free the longest first; a block's name is the text of its whole prefix. */
function naiveCache(blocks: number, blockSize: number): (request: TokenRequest) => number {
  let free: string[] = Array.from({ length: blocks }, () => "");
  return (request) => {
    const computed = request.promptTokens + request.outputTokens - 1;
    const nameOf = (block: number): string => request.tokens.slice(0, (block + 1) * blockSize).join(",");
    const held: string[] = [];
    while ((held.length + 1) * blockSize < request.promptTokens && free.includes(nameOf(held.length))) {
      held.push(nameOf(held.length));
    }
    const hit = held.length * blockSize;
    for (const name of held) free.splice(free.indexOf(name), 1);
    for (let block = held.length; block * blockSize < computed; block++) {
      free.shift();
      held.push((block + 1) * blockSize <= computed ? nameOf(block) : "");
    }
    free = [...free, ...held.reverse()];
    return hit;
  };
}
