import { createServer, type Socket } from "node:net";
import type { StepTime } from "../engine/step-time.ts";
import { startPods, type PodFleet, type PodsOptions } from "../pods/start-pods.ts";
import type { Pod } from "../pods/pod.ts";

/** One pod as the captured vLLM was: block size 32, a model by the name of tiny-llama; answers at once unless told otherwise. */
export async function startTinyPod(options: PodsOptions = {}): Promise<Pod> {
  const fleet: PodFleet = await startPods({
    servedModelName: "tiny-llama",
    blockSizeTokens: 32,
    timeScale: 0,
    ...options,
    engine: { gpuBlocks: 128, modelLenTokensMax: 2048, seqsMax: 8, ...options.engine },
  });
  return fleet.pods[0];
}

/** A step that outlasts any test: what was scheduled first stays, all else waits. */
export const FROZEN_STEP: StepTime = { aUs: 600_000_000, bUs: 0, qUs: 0, cUs: 0, dUs: 0 };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export async function post(
  pod: Pod,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(`${pod.url}${path}`, {
    method: "POST",
    body: text,
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export async function get(pod: Pod, path: string): Promise<Answer> {
  const response = await fetch(`${pod.url}${path}`);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Waits for a condition without a timer; the test's own timeout ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

/** A port that some other server holds for the time of `use`. */
export async function withTakenPort(use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((socket: Socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  try {
    await use(typeof address === "object" && address ? address.port : 0);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}
