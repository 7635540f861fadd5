import { expect, it } from "vitest";
import { cpuStacks, heapStacks } from "./take-profile.ts";

const frame = (functionName: string) => ({
  functionName,
  scriptId: "1",
  url: "file:///a.js",
  lineNumber: 4,
  columnNumber: 0,
});
const names = (stacks: readonly { readonly stack: readonly { functionName: string }[]; values: readonly number[] }[]) =>
  stacks.map(({ stack, values }) => [stack.map(({ functionName }) => functionName), values]);

it("samples of the CPU are summed by stack, innermost call first, without what is idle", () => {
  const stacks = cpuStacks({
    nodes: [
      { id: 1, callFrame: frame("(root)"), children: [2, 4, 5] },
      { id: 2, callFrame: frame("outer"), children: [3] },
      { id: 3, callFrame: frame("inner") },
      { id: 4, callFrame: frame("(idle)") },
      { id: 5, callFrame: frame("(garbage collector)") },
    ],
    startTime: 0,
    endTime: 0,
    samples: [3, 2, 4, 3, 5, 1],
    timeDeltas: [10, 20, 30, 40, -5, 60],
  });
  expect(names(stacks)).toEqual([
    [
      ["inner", "outer"],
      [2, 50_000],
    ],
    [["outer"], [1, 20_000]],
    [["(garbage collector)"], [1, 0]],
  ]);
});

it("memory is told by stack, with the objects that were sampled", () => {
  type Head = Parameters<typeof heapStacks>[0]["head"];
  const node = (id: number, name: string, selfSize: number, children: readonly Head[] = []): Head => ({
    id,
    callFrame: frame(name),
    selfSize,
    children,
  });
  const head = node(1, "(root)", 0, [node(2, "outer", 100, [node(3, "inner", 7)]), node(4, "free", 0)]);
  const stacks = heapStacks({ head, samples: [{ nodeId: 2 }, { nodeId: 2 }, { nodeId: 3 }] });
  expect(names(stacks)).toEqual([
    [["outer"], [2, 100]],
    [
      ["inner", "outer"],
      [1, 7],
    ],
  ]);
});
