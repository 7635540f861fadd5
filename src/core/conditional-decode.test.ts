import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isConditional } from "./conditional-decode.ts";
import { prefixMatchKey } from "./data-key.ts";
import type { Notice } from "./notices.ts";
import type { PluginInstance } from "./plugin.ts";
import { endpoint, facts, testCompiler, testCore } from "./test-support/test-plan.ts";

describe("a prefer header", () => {
  const table: readonly (readonly [string | undefined, boolean])[] = [
    [undefined, false],
    ["", false],
    ["if-available", true],
    ["  If-AVAILABLE ", true],
    ["wait=3, If-Available", true],
    ["if-available; x=1", true],
    ["return=minimal;a=b,\tif-available;c", true],
    ["if-available-or-not", false],
    ["x;if-available", false],
    ["wait=if-available", false],
    ["other", false],
  ];
  it.each(table)("%j is conditional: %s", (value, conditional) => {
    expect(isConditional(value)).toBe(conditional);
  });

  it("is conditional wherever the preference stands among others", () => {
    const other = fc.constantFrom("wait=1", "x", " y;z=if-available", "");
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        expect(isConditional([...before, "if-available", ...after].join(","))).toBe(true);
        expect(isConditional([...before, ...after].join(","))).toBe(false);
      }),
    );
  });
});

describe("a request with prefer: if-available", () => {
  /** A core of two pods, the second one loaded, with a producer that tells so many blocks by row; undefined = nothing. */
  function outcomeOf(blocks: readonly number[] | undefined, prefer = "if-available", producer?: string) {
    const told: string[] = [];
    const producing: PluginInstance = {
      produce(request) {
        if (!blocks) return undefined;
        const key = prefixMatchKey(producer ?? "approx-prefix-cache-producer");
        request.put(key, { matchBlocks: Int32Array.from(blocks), totalBlocks: 9, blockSizeTokens: 64 });
        return undefined;
      },
      preRequest: () => void told.push("preRequest"),
    };
    const { core, step } = testCore({ compile: testCompiler(() => [producing]) });
    step({ type: "endpointUpserted", atUs: 0, endpoint: endpoint("a", "10.0.0.1") });
    const decide = (key: number, headers: Readonly<Record<string, string>>) =>
      step({ type: "requestArrived", atUs: 0, facts: facts(key, { headers }) }).flatMap((notice: Notice) =>
        notice.type === "decision" ? [notice.decision.outcome] : [],
      )[0];
    const outcome = decide(0, { prefer });
    return { outcome, told, left: core.requestCount, decide };
  }

  it("goes to a pod that holds some of its prompt", () => {
    expect(outcomeOf([1]).outcome.kind).toBe("picked");
  });

  it.each([[[0]], [undefined]])("is refused where the pod holds %j, and holds nothing back", (blocks) => {
    const { outcome, told, left, decide } = outcomeOf(blocks);
    expect(outcome).toEqual({
      kind: "rejected",
      rejection: { code: "PreconditionFailed", message: "no decode worker has the requested KV cache" },
    });
    expect({ told, left }).toEqual({ told: [], left: 0 });
    expect(decide(1, {}).kind).toBe("picked");
  });

  it("is refused where another producer tells of a prefix, as stock", () => {
    expect(outcomeOf([1], "if-available", "precise").outcome.kind).toBe("rejected");
  });

  it("with another preference goes anywhere", () => {
    expect(outcomeOf([0], "wait=1").outcome.kind).toBe("picked");
  });
});
