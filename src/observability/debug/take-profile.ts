import { type Profiler, Session } from "node:inspector";
import { setTimeout as delay } from "node:timers/promises";
import { type CallFrame, encodePprof, type StackSample } from "./pprof-profile.ts";

/** Time between two looks at what runs. */
const CPU_INTERVAL_US = 1000;
/** Bytes that are allocated from one sample to the next, on average. */
const HEAP_INTERVAL_BYTES = 65_536;
/** What V8 reports while nothing runs. */
const IDLE = "(idle)";
const ROOT = "(root)";

/** V8's profile of allocations; the types of Node 20 know it in part. */
interface HeapProfile {
  readonly head: HeapNode;
  readonly samples: readonly { readonly nodeId: number }[];
}
interface HeapNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}

/** What a profile tells: time on the CPU, or memory that was allocated meanwhile and is in use at the end. */
export type ProfileKind = "profile" | "heap";

/**
 * Profiles this process for a while, by V8's own profilers. Gives the profile in pprof's format. Ends early when
 * `signal` is aborted.
 */
export async function takeProfile(kind: ProfileKind, seconds: number, signal: AbortSignal): Promise<Uint8Array> {
  const session = new Session();
  session.connect();
  const startMs = Date.now();
  const began = performance.now();
  const wait = () => delay(seconds * 1000, undefined, { signal }).catch(() => undefined);
  try {
    const samples = await (kind === "heap" ? heapSamples(session, wait) : cpuSamples(session, wait));
    return encodePprof({ ...TYPES[kind], startMs, durationMs: performance.now() - began, samples });
  } finally {
    session.disconnect();
  }
}

const TYPES = {
  profile: {
    types: [
      ["samples", "count"],
      ["cpu", "nanoseconds"],
    ],
    period: { type: ["cpu", "nanoseconds"], value: CPU_INTERVAL_US * 1000 },
  },
  heap: {
    types: [
      ["inuse_objects", "count"],
      ["inuse_space", "bytes"],
    ],
    period: { type: ["space", "bytes"], value: HEAP_INTERVAL_BYTES },
  },
} as const;

async function cpuSamples(session: Session, wait: () => Promise<unknown>): Promise<readonly StackSample[]> {
  await post(session, "Profiler.enable");
  await post(session, "Profiler.setSamplingInterval", { interval: CPU_INTERVAL_US });
  await post(session, "Profiler.start");
  await wait();
  const { profile } = await post<Profiler.StopReturnType>(session, "Profiler.stop");
  return cpuStacks(profile);
}

/** Stacks with how often each was seen, and for how long; those of an idle process are left out. */
export function cpuStacks({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): readonly StackSample[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const seen = new Map<number, { count: number; microseconds: number }>();
  for (const [i, id] of samples.entries()) {
    const told = seen.get(id) ?? { count: 0, microseconds: 0 };
    told.count++;
    // A delta is the time from the sample before; what runs on is taken to have run since then.
    told.microseconds += Math.max(0, timeDeltas[i] ?? 0);
    seen.set(id, told);
  }
  return [...seen].flatMap(([id, { count, microseconds }]) => {
    const stack: CallFrame[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const frame: CallFrame | undefined = byId.get(at)?.callFrame;
      if (frame && frame.functionName !== ROOT) stack.push(frame);
    }
    return stack.length === 0 || stack[0].functionName === IDLE
      ? []
      : [{ stack, values: [count, microseconds * 1000] }];
  });
}

async function heapSamples(session: Session, wait: () => Promise<unknown>): Promise<readonly StackSample[]> {
  await post(session, "HeapProfiler.enable");
  await post(session, "HeapProfiler.startSampling", { samplingInterval: HEAP_INTERVAL_BYTES });
  await wait();
  const { profile } = await post<{ readonly profile: HeapProfile }>(session, "HeapProfiler.stopSampling");
  return heapStacks(profile);
}

/** Stacks with the objects and bytes that they allocated. */
export function heapStacks({ head, samples }: HeapProfile): readonly StackSample[] {
  const counts = new Map<number, number>();
  for (const { nodeId } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  const out: StackSample[] = [];
  const open: { readonly node: HeapNode; readonly above: readonly CallFrame[] }[] = [{ node: head, above: [] }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, above } = next;
    const stack = node.callFrame.functionName === ROOT ? above : [node.callFrame, ...above];
    if (node.selfSize > 0 && stack.length > 0) out.push({ stack, values: [counts.get(node.id) ?? 0, node.selfSize] });
    for (const child of node.children) open.push({ node: child, above: stack });
  }
  return out;
}

const post = <T>(session: Session, method: string, params: object = {}): Promise<T> =>
  new Promise((resolve, reject) => {
    session.post(method, params, (error, result) => (error ? reject(error) : resolve(result as T)));
  });
