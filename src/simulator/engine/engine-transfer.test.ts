import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  drain,
  ids,
  logSink,
  requestOf,
  SMALL_ENGINE,
  type LogLine,
  type TokenRequest,
} from "../test-support/engine-log.ts";
import { createEngine } from "./engine.ts";
import type { EngineOptions } from "./engine-types.ts";

const fetching = (request: TokenRequest): TokenRequest => ({ ...request, fetchesPrompt: true });
const holding = (request: TokenRequest): TokenRequest => ({ ...request, holdsBlocks: true });

function start(options: Partial<EngineOptions> = {}) {
  const engine = createEngine<TokenRequest>({ ...SMALL_ENGINE, ...options });
  const lines: LogLine[] = [];
  return { engine, lines, sink: logSink(lines) };
}

describe("a prompt that a peer has computed", () => {
  it("waits with all its blocks, and computes its last token alone once they are filled", () => {
    const { engine, lines, sink } = start();
    engine.submit(0, fetching(requestOf("a", ids(10), ids(2, 500))));
    engine.advance(0, sink);
    expect(lines).toEqual([["fetch", 0, "a", 0]]);
    expect(engine.nextDueAtUs()).toBe(Infinity);
    expect(engine.signals()).toMatchObject({ waitingRequests: 1, fetchingRequests: 1, runningRequests: 0 });
    expect(engine.signals().usableBlocks - engine.signals().freeBlocks).toBe(3);
    expect(engine.kvFetched(100, "a", 10)).toBe(9);
    drain(engine, sink);
    expect(lines.slice(1).filter((line) => line[0] !== "stored")).toEqual([
      ["scheduled", 100, "a", 0, false],
      ["step", 100, 111, 1, 0],
      ["token", 111, "a", 0],
      ["step", 111, 121, 0, 1],
      ["token", 121, "a", 1],
      ["finished", 121, "a"],
    ]);
    expect(engine.signals()).toMatchObject({ promptTokens: 10, cachedPromptTokens: 0, fetchedPromptTokens: 9 });
  });

  it("asks only for what is not cached, and can be hit by the next", () => {
    const { engine, lines, sink } = start();
    engine.submit(0, requestOf("first", ids(8), [1]));
    drain(engine, sink);
    engine.submit(50, fetching(requestOf("a", ids(16), [2])));
    engine.advance(50, sink);
    expect(lines.at(-1)).toEqual(["fetch", 50, "a", 8]);
    // Not there yet: a request of the same prompt hits the cached part alone.
    engine.submit(50, requestOf("early", ids(16), [3]));
    engine.advance(50, sink);
    expect(lines.at(-1)).toEqual(["scheduled", 50, "early", 8, false]);
    expect(engine.kvFetched(60, "a", 8)).toBe(7);
    drain(engine, sink);
    engine.submit(500, requestOf("late", ids(20), [4]));
    drain(engine, sink);
    expect(lines.find((line) => line[0] === "scheduled" && line[2] === "late")).toEqual([
      "scheduled",
      500,
      "late",
      16,
      false,
    ]);
    expect(engine.signals()).toMatchObject({ cachedPromptTokens: 8 + 8 + 16, fetchedPromptTokens: 7 });
  });

  it.each([
    ["nothing", 0, 0, 10],
    ["a part", 6, 6, 4],
    ["less than nothing", -5, 0, 10],
    ["more than there is", 1000, 9, 1],
  ])("is computed from where it ends when %s comes", (_, came, counted, computed) => {
    const { engine, lines, sink } = start();
    engine.submit(0, fetching(requestOf("a", ids(10), [1])));
    engine.advance(0, sink);
    expect(engine.kvFetched(5, "a", came)).toBe(counted);
    drain(engine, sink);
    expect(lines.filter((line) => line[0] === "step").map((line) => line[3])).toEqual([computed]);
    expect(engine.signals().freeBlocks).toBe(engine.signals().usableBlocks);
  });

  it("lets others run meanwhile, and goes before who waits when it comes", () => {
    const { engine, lines, sink } = start({ seqsMax: 1 });
    engine.submit(0, fetching(requestOf("a", ids(10), [1])));
    engine.submit(0, requestOf("b", ids(8, 300), [2]));
    engine.submit(0, requestOf("c", ids(8, 600), [3]));
    engine.advance(0, sink);
    engine.kvFetched(1, "a", 10);
    drain(engine, sink);
    expect(lines.filter((line) => line[0] === "scheduled").map((line) => line[2])).toEqual(["b", "a", "c"]);
  });

  it("can be hit by others once it is there, though its own request never ran", () => {
    const { engine, lines, sink } = start({ seqsMax: 1 });
    engine.submit(0, fetching(requestOf("a", ids(12), [1])));
    engine.submit(0, requestOf("b", ids(8, 300), ids(3, 700)));
    engine.advance(0, sink);
    engine.kvFetched(1, "a", 12);
    engine.cancel("a");
    engine.submit(1, requestOf("c", ids(14), [3]));
    drain(engine, sink);
    expect(lines.find((line) => line[0] === "scheduled" && line[2] === "c")?.[3]).toBe(12);
  });

  it("is not fetched again after a preemption", () => {
    // 8 blocks of 4: both prompts fit, their answers do not.
    const { engine, lines, sink } = start({ gpuBlocks: 9, modelLenTokensMax: 32 });
    for (const id of ["a", "b"])
      engine.submit(0, fetching(requestOf(id, ids(12, id === "a" ? 100 : 300), ids(12, 900))));
    engine.advance(0, sink);
    engine.kvFetched(0, "a", 12);
    engine.kvFetched(0, "b", 12);
    drain(engine, sink);
    expect(lines.filter((line) => line[0] === "preempted").length).toBeGreaterThan(0);
    expect(lines.filter((line) => line[0] === "fetch").length).toBe(2);
    expect(lines.filter((line) => line[0] === "finished").length).toBe(2);
  });

  it("can be cancelled while it waits, and an answer that comes after that counts for nothing", () => {
    const { engine, sink } = start();
    engine.submit(0, fetching(requestOf("a", ids(10), [1])));
    engine.advance(0, sink);
    expect(engine.cancel("a")).toBe(true);
    expect(engine.kvFetched(5, "a", 10)).toBeUndefined();
    expect(engine.signals().freeBlocks).toBe(engine.signals().usableBlocks);
    expect(engine.nextDueAtUs()).toBe(Infinity);
  });
});

describe("a request that holds its blocks", () => {
  it("keeps them in use after its end until they are released, once", () => {
    const { engine, sink } = start();
    engine.submit(0, holding(requestOf("a", ids(10), [1])));
    drain(engine, sink);
    expect([...engine.heldBlocks("a")!]).toEqual([1, 2, 3]);
    expect(engine.signals()).toMatchObject({ heldRequests: 1, runningRequests: 0, waitingRequests: 0 });
    expect(engine.signals().usableBlocks - engine.signals().freeBlocks).toBe(3);
    expect(engine.refusal(requestOf("a", ids(3), [1]))).toBe("id a is taken");
    expect(engine.clearCache(100, sink)).toBe(false);
    expect(engine.releaseHeld(100, "a")).toBe(true);
    expect(engine.releaseHeld(100, "a")).toBe(false);
    expect(engine.heldBlocks("a")).toBeUndefined();
    expect(engine.signals().freeBlocks).toBe(engine.signals().usableBlocks);
    expect(engine.clearCache(100, sink)).toBe(true);
  });

  it("gives them back when it is cancelled before its end", () => {
    const { engine, sink } = start();
    engine.submit(0, holding(requestOf("a", ids(10), ids(5, 500))));
    engine.advance(25, sink);
    engine.cancel("a");
    expect(engine.heldBlocks("a")).toBeUndefined();
    drain(engine, sink);
    expect(engine.signals().freeBlocks).toBe(engine.signals().usableBlocks);
  });

  it("holds up the queue without taking time, until a release lets it on", () => {
    const { engine, lines, sink } = start({
      gpuBlocks: 9,
      modelLenTokensMax: 32,
      stepTime: { aUs: 0, bUs: 0, qUs: 0, cUs: 0, dUs: 0 },
    });
    engine.submit(0, holding(requestOf("a", ids(24), [1])));
    drain(engine, sink);
    engine.submit(10, requestOf("b", ids(20, 500), [2]));
    engine.advance(10, sink);
    expect(engine.nextDueAtUs()).toBe(Infinity);
    expect(engine.signals().waitingRequests).toBe(1);
    engine.releaseHeld(70, "a");
    expect(engine.nextDueAtUs()).toBe(70);
    drain(engine, sink);
    expect(lines.at(-1)).toEqual(["finished", 70, "b"]);
  });
});

const happening = fc.record({
  gapUs: fc.integer({ min: 0, max: 60 }),
  kind: fc.constantFrom("plain", "fetch", "hold", "both"),
  prompt: fc.integer({ min: 1, max: 40 }),
  family: fc.integer({ min: 0, max: 2 }),
  output: fc.integer({ min: 1, max: 12 }),
  answerAfterUs: fc.integer({ min: 0, max: 200 }),
  share: fc.constantFrom(0, 0.5, 1),
  cancelAfterUs: fc.option(fc.integer({ min: 0, max: 200 }), { freq: 5, nil: undefined }),
});

describe("any mix of fetches, holds and cancels", () => {
  it("ends with every request answered in full, every block free, and time never going back", () => {
    fc.assert(
      fc.property(
        fc.array(happening, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 17, max: 40 }),
        (list, gpuBlocks) => {
          const { engine, lines, sink } = start({ gpuBlocks });
          const queue: { atUs: number; run(nowUs: number): void }[] = [];
          const cancelled = new Set<string>();
          const at = (atUs: number, run: (nowUs: number) => void): void => void queue.push({ atUs, run });
          const spying = {
            ...sink,
            fetchKv: (request: TokenRequest, timeUs: number, cached: number) => {
              sink.fetchKv!(request, timeUs, cached);
              const { answerAfterUs, share } = list[Number(request.id)];
              const tokens = Math.floor((request.promptTokens - cached) * share);
              at(timeUs + answerAfterUs, (nowUs) => engine.kvFetched(nowUs, request.id, tokens));
            },
            finished: (request: TokenRequest, timeUs: number) => {
              sink.finished(request, timeUs);
              if (request.holdsBlocks)
                at(timeUs + list[Number(request.id)].answerAfterUs, (nowUs) => {
                  expect(engine.releaseHeld(nowUs, request.id)).toBe(true);
                });
            },
          };
          let arriveUs = 0;
          for (const [i, { gapUs, kind, prompt, family, output, cancelAfterUs }] of list.entries()) {
            arriveUs += gapUs;
            const request: TokenRequest = {
              ...requestOf(String(i), ids(prompt, family * 1000), ids(output, 9000 + i)),
              fetchesPrompt: kind === "fetch" || kind === "both",
              holdsBlocks: kind === "hold" || kind === "both",
            };
            at(arriveUs, (nowUs) => engine.submit(nowUs, request));
            if (cancelAfterUs !== undefined)
              at(arriveUs + cancelAfterUs, () => void (engine.cancel(request.id) && cancelled.add(request.id)));
          }
          for (;;) {
            queue.sort((a, b) => a.atUs - b.atUs);
            const nowUs = Math.min(queue[0]?.atUs ?? Infinity, engine.nextDueAtUs());
            if (nowUs === Infinity) break;
            engine.advance(nowUs, spying);
            if (queue[0]?.atUs === nowUs) queue.shift()!.run(nowUs);
          }
          const finished = new Set(lines.filter((line) => line[0] === "finished").map((line) => line[2]));
          for (const i of list.keys()) expect(finished.has(String(i))).toBe(!cancelled.has(String(i)));
          const signals = engine.signals();
          expect([
            signals.heldRequests,
            signals.fetchingRequests,
            signals.waitingRequests,
            signals.runningRequests,
          ]).toEqual([0, 0, 0, 0]);
          expect(signals.freeBlocks).toBe(signals.usableBlocks);
          const times = lines.filter((line) => line[0] !== "step").map((line) => Number(line[1]));
          for (let i = 1; i < times.length; i++) expect(times[i]).toBeGreaterThanOrEqual(times[i - 1]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
