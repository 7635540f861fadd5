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
import { INSTANT_STEP_TIME } from "./step-time.ts";

const start = (options: Partial<EngineOptions> = {}) => {
  const engine = createEngine<TokenRequest>({ ...SMALL_ENGINE, ...options });
  const lines: LogLine[] = [];
  const sink = logSink(lines);
  const only = (...kinds: string[]): LogLine[] => lines.filter((line) => kinds.includes(line[0] as string));
  return { engine, lines, sink, only };
};

describe("one request alone", () => {
  it("computes its prompt in one step and then one token a step, each at its time", () => {
    const { engine, sink, only } = start({ stepTime: { aUs: 10, bUs: 2, qUs: 0.5, cUs: 3, dUs: 1 } });
    engine.submit(1000, requestOf("a", ids(6), ids(3, 900)));
    drain(engine, sink);
    // Prompt: 10 + 2*6 + 0.5*6*3 = 31. Decode over a context of 7, then 8: 10 + 3 + 7, 10 + 3 + 8.
    expect(only("scheduled", "step", "token", "finished")).toEqual([
      ["scheduled", 1000, "a", 0, false],
      ["step", 1000, 1031, 6, 0],
      ["token", 1031, "a", 0],
      ["step", 1031, 1051, 0, 1],
      ["token", 1051, "a", 1],
      ["step", 1051, 1072, 0, 1],
      ["token", 1072, "a", 2],
      ["finished", 1072, "a"],
    ]);
    expect(engine.signals()).toMatchObject({ kvUsage: 0, promptTokens: 6, generatedTokens: 3, steps: 3 });
  });

  it("computes a long prompt in chunks of the token budget", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(50), [1]));
    drain(engine, sink);
    expect(only("step").map((line) => line[3])).toEqual([32, 18]);
    expect(only("token")).toEqual([["token", 70, "a", 0]]);
  });

  it("computes at most longPrefillTokensMax prompt tokens a step", () => {
    const { engine, sink, only } = start({ longPrefillTokensMax: 20 });
    engine.submit(0, requestOf("a", ids(50), [1]));
    drain(engine, sink);
    expect(only("step").map((line) => line[3])).toEqual([20, 20, 10]);
  });

  it("takes no time when no step does", () => {
    const { engine, sink, only } = start({ stepTime: INSTANT_STEP_TIME });
    engine.submit(5, requestOf("a", ids(20), ids(9, 900)));
    engine.advance(5, sink);
    expect(only("finished")).toEqual([["finished", 5, "a"]]);
    expect(engine.nextDueAtUs()).toBe(Infinity);
  });
});

describe("many requests", () => {
  it("share a step, and those that came while it ran join the next", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(5), [1, 2]));
    engine.submit(0, requestOf("b", ids(5, 200), [1, 2]));
    engine.advance(0, sink);
    engine.advance(7, sink);
    engine.submit(7, requestOf("c", ids(5, 300), [1]));
    drain(engine, sink);
    expect(only("step").map((line) => line.slice(1))).toEqual([
      [0, 20, 10, 0],
      [20, 35, 5, 2],
    ]);
    expect(only("scheduled").map((line) => line.slice(0, 3))).toEqual([
      ["scheduled", 0, "a"],
      ["scheduled", 0, "b"],
      ["scheduled", 20, "c"],
    ]);
  });

  it("never are more than seqsMax in a batch, and wait in order of arrival", () => {
    const { engine, sink, only } = start({ seqsMax: 2 });
    for (const [i, id] of ["a", "b", "c", "d"].entries()) engine.submit(0, requestOf(id, ids(4, i * 50), [1, 2]));
    engine.advance(0, sink);
    expect(engine.signals()).toMatchObject({ runningRequests: 2, waitingRequests: 2 });
    drain(engine, sink);
    expect(only("finished").map((line) => line[2])).toEqual(["a", "b", "c", "d"]);
  });

  it("that decode go before prompts in the token budget", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(4), ids(5, 900)));
    engine.advance(14, sink);
    engine.submit(14, requestOf("b", ids(40, 200), [1]));
    drain(engine, sink);
    expect(only("step").map((line) => line.slice(3))).toEqual([
      [4, 0],
      [0, 1],
      [31, 1],
      [9, 1],
      [0, 1],
    ]);
  });
});

describe("the prefix cache", () => {
  it("is hit by full blocks, of the prompt and of what was generated", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(10), ids(4, 900)));
    drain(engine, sink);
    // 13 of 14 tokens were computed: three full blocks, two of them and half of the third from the prompt.
    engine.submit(1000, requestOf("b", [...ids(10), ...ids(4, 900), 7], [1]));
    drain(engine, sink);
    expect(only("scheduled")[1]).toEqual(["scheduled", 1000, "b", 12, false]);
    expect(engine.signals()).toMatchObject({ prefixQueriesTokens: 25, prefixHitsTokens: 12 });
  });

  it("does not hold generated tokens when that is switched off", () => {
    const { engine, sink, only } = start({ cacheGeneratedTokens: false });
    engine.submit(0, requestOf("a", ids(10), ids(4, 900)));
    drain(engine, sink);
    engine.submit(1000, requestOf("b", [...ids(10), ...ids(4, 900), 7], [1]));
    drain(engine, sink);
    expect(only("scheduled")[1][3]).toBe(8);
  });

  it("leaves at least one token to compute", () => {
    const { engine, sink, only } = start();
    for (const [i, id] of ["a", "b"].entries()) {
      engine.submit(i * 1000, requestOf(id, ids(8), [1]));
      drain(engine, sink);
    }
    expect(only("scheduled").map((line) => line[3])).toEqual([0, 4]);
  });

  it("is hit within one step by a request behind the one that computes the block", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(9), [1]));
    engine.submit(0, requestOf("b", ids(9), [1]));
    drain(engine, sink);
    expect(only("scheduled").map((line) => line[3])).toEqual([0, 8]);
  });

  it("holds nothing when it is switched off", () => {
    const { engine, sink, only } = start({ prefixCaching: false });
    engine.submit(0, requestOf("a", ids(9), [1]));
    drain(engine, sink);
    engine.submit(100, requestOf("b", ids(9), [1]));
    drain(engine, sink);
    expect(only("scheduled").map((line) => line[3])).toEqual([0, 0]);
    expect(only("stored")).toEqual([]);
  });

  it("loses the end of an old sequence before its start, and says which blocks went", () => {
    // Nine usable blocks: a leaves four stored blocks, b takes six.
    const { engine, sink, only } = start({ gpuBlocks: 10, modelLenTokensMax: 36 });
    const a = requestOf("a", ids(16), [1]);
    engine.submit(0, a);
    drain(engine, sink);
    engine.submit(100, requestOf("b", ids(24, 500), [1]));
    drain(engine, sink);
    expect(only("removed").map((line) => line[2])).toEqual([`${a.hashLo[3]}.${a.hashHi[3]}`]);
    engine.submit(200, requestOf("c", ids(16), [1]));
    drain(engine, sink);
    expect(only("scheduled")[2][3]).toBe(12);
  });

  it("can be cleared when nothing runs, and only then", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(9), [1]));
    engine.advance(0, sink);
    expect(engine.clearCache(0, sink)).toBe(false);
    drain(engine, sink);
    expect(engine.clearCache(50, sink)).toBe(true);
    engine.submit(60, requestOf("b", ids(9), [1]));
    drain(engine, sink);
    expect(only("cleared")).toEqual([["cleared", 50]]);
    expect(only("scheduled")[1][3]).toBe(0);
  });
});

describe("too few blocks", () => {
  it("preempt the last request to the front of the queue, which computes it anew from what is cached", () => {
    // Eight usable blocks of 4: two requests of 12 prompt and 12 output tokens need 12.
    const { engine, sink, only } = start({ gpuBlocks: 9, modelLenTokensMax: 32 });
    engine.submit(0, requestOf("a", ids(12), ids(12, 900)));
    engine.submit(0, requestOf("b", ids(12, 200), ids(12, 950)));
    engine.submit(0, requestOf("c", ids(3, 300), [1]));
    drain(engine, sink);
    expect(only("preempted").map((line) => line[2])).toEqual(["b"]);
    expect(engine.signals()).toMatchObject({ preemptions: 1, freeBlocks: 8, prefixQueriesTokens: 27 });
    // a ends at 37 + 11 * 10, then b resumes: of its blocks a took all but the first two.
    expect(only("scheduled").filter((line) => line[4])).toEqual([["scheduled", 147, "b", 8, true]]);
    expect(only("token").filter((line) => line[2] === "b")).toHaveLength(12);
    expect(only("finished").map((line) => line[2])).toEqual(["c", "a", "b"]);
  });

  it("put the preempted request before those that waited already", () => {
    const { engine, sink, only } = start({ gpuBlocks: 9, modelLenTokensMax: 32, seqsMax: 2 });
    engine.submit(0, requestOf("a", ids(12), ids(12, 900)));
    engine.submit(0, requestOf("b", ids(12, 200), ids(12, 950)));
    engine.submit(0, requestOf("c", ids(3, 300), [1]));
    drain(engine, sink);
    expect(only("preempted").map((line) => line[2])).toEqual(["b"]);
    expect(only("scheduled").map((line) => line[2])).toEqual(["a", "b", "b", "c"]);
  });

  it("let no request in within the step that preempted one", () => {
    // b's generated blocks can't be hit, so there would be room at once for its prompt and a first small chunk.
    const few = { gpuBlocks: 17, modelLenTokensMax: 64, longPrefillTokensMax: 4, cacheGeneratedTokens: false };
    const { engine, sink, only } = start(few);
    engine.submit(0, requestOf("a", ids(12), ids(28, 900)));
    engine.submit(0, requestOf("b", ids(12, 200), ids(28, 950)));
    drain(engine, sink);
    const [preempted] = only("preempted");
    const resumed = only("scheduled").find((line) => line[4])!;
    expect(Number(resumed[1])).toBeGreaterThan(Number(preempted[1]));
  });

  it("make the first of the queue wait, and all behind it", () => {
    const { engine, sink, only } = start({ gpuBlocks: 9, modelLenTokensMax: 32, batchedTokensMax: 64 });
    engine.submit(0, requestOf("a", ids(20), [1, 2]));
    engine.submit(0, requestOf("big", ids(16, 200), [1]));
    engine.submit(0, requestOf("small", ids(2, 300), [1]));
    drain(engine, sink);
    expect(only("finished").map((line) => line[2])).toEqual(["a", "big", "small"]);
    expect(engine.signals().preemptions).toBe(0);
  });
});

describe("cancel", () => {
  it("frees the blocks of a waiting, a running and a just finished request, and nothing more comes of it", () => {
    const { engine, sink, lines, only } = start({ seqsMax: 1 });
    engine.submit(0, requestOf("a", ids(8), ids(9, 900)));
    engine.submit(0, requestOf("b", ids(8, 200), [1]));
    engine.submit(0, requestOf("c", ids(8, 300), [1]));
    engine.advance(20, sink);
    expect(engine.cancel("b")).toBe(true);
    expect(engine.cancel("a")).toBe(true);
    expect(engine.cancel("a")).toBe(false);
    const before = lines.length;
    drain(engine, sink);
    expect(lines.slice(before).filter((line) => line.includes("a") || line.includes("b"))).toEqual([]);
    expect(only("finished").map((line) => line[2])).toEqual(["c"]);
    expect(engine.cancel("c")).toBe(false);
    expect(engine.signals()).toMatchObject({ freeBlocks: 32, runningRequests: 0, waitingRequests: 0 });
  });

  it("and submit from inside a sink are safe", () => {
    const { engine, sink, only } = start();
    engine.submit(0, requestOf("a", ids(8), ids(3, 900)));
    engine.submit(0, requestOf("b", ids(8, 200), ids(3, 900)));
    const meddling = {
      ...sink,
      token: (request: TokenRequest, timeUs: number, index: number) => {
        sink.token(request, timeUs, index);
        if (request.id !== "a") return;
        if (index === 0) engine.cancel("b");
        if (index === 2) engine.submit(timeUs, requestOf("c", ids(8), [1]));
      },
    };
    drain(engine, meddling);
    expect(only("token").map((line) => line[2])).toEqual(["a", "a", "a", "c"]);
    expect(engine.signals().freeBlocks).toBe(32);
  });
});

describe("refusals", () => {
  it.each([
    [requestOf("x", [], [1]), "promptTokens is 0, must be at least 1"],
    [requestOf("x", [1], []), "outputTokens is 0, must be at least 1"],
    [requestOf("x", ids(60), ids(5)), "60 prompt and 5 output tokens are more than modelLenTokensMax 64"],
    [requestOf("taken", [1], [1]), "id taken is taken"],
  ])("of a request name the cause", (request, cause) => {
    const { engine } = start();
    engine.submit(0, requestOf("taken", [1], [1]));
    expect(() => engine.submit(0, request)).toThrow(`Cannot submit request: ${cause}`);
  });

  it("of one request more than requestsMax, until one ended", () => {
    const { engine, sink } = start({ requestsMax: 1 });
    engine.submit(0, requestOf("a", [1], [1]));
    expect(engine.refusal(requestOf("b", [1], [1]))).toBe("1 requests wait or run already (requestsMax)");
    drain(engine, sink);
    expect(engine.refusal(requestOf("b", [1], [1]))).toBeUndefined();
  });

  it("of a submit at a time to which the engine was not advanced", () => {
    const { engine } = start();
    engine.submit(0, requestOf("a", [1], [1]));
    expect(() => engine.submit(5, requestOf("b", [1], [1]))).toThrow("advance to 5 first, 0 is due");
  });

  it("of to advance it from its own sink", () => {
    const { engine, sink } = start();
    engine.submit(0, requestOf("a", [1], [1]));
    expect(() => engine.advance(99, { ...sink, finished: () => engine.advance(99, sink) })).toThrow(
      "it is being advanced",
    );
  });

  it.each([
    [{ gpuBlocks: 1 }, "gpuBlocks is 1, must be at least 2"],
    [{ seqsMax: 0 }, "seqsMax is 0, must be a whole number of at least 1"],
    [{ gpuBlocks: 5 }, "modelLenTokensMax is 64, but only 16 tokens fit in the KV cache"],
  ])("of options out of range: %j", (options, cause) => {
    expect(() => createEngine({ ...SMALL_ENGINE, ...options })).toThrow(`Cannot create engine: ${cause}`);
  });
});
