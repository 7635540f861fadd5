import { onTestFinished } from "vitest";
import type { Pod } from "../pods/pod.ts";
import { startPods, type PodsOptions } from "../pods/start-pods.ts";
import { get, post, type Answer } from "./small-pod.ts";

/** Prefill and decode pods that are stopped when the test ends; they answer at once unless told otherwise. */
export async function startDisaggregatedPods(
  options: PodsOptions = {},
): Promise<{ prefill: Pod; decode: Pod; all: readonly Pod[] }> {
  const fleet = await startPods({
    servedModelName: "tiny-llama",
    timeScale: 0,
    roles: { prefill: 1, decode: 1 },
    ...options,
    engine: { gpuBlocks: 256, modelLenTokensMax: 2048, seqsMax: 8, ...options.engine },
  });
  onTestFinished(() => fleet.stop());
  const of = (role: string): Pod => fleet.pods.find((pod) => pod.role === role)!;
  return { prefill: of("prefill"), decode: of("decode"), all: fleet.pods };
}

/** The value of a series on a pod's metrics page; 0 when it is not there. */
export async function series(pod: Pod, name: string, label = ""): Promise<number> {
  const { text } = await get(pod, "/metrics");
  const line = text
    .split("\n")
    .find((l) => (l.startsWith(`${name}{`) || l.startsWith(`${name} `)) && l.includes(label));
  return Number(line?.slice(line.lastIndexOf(" ") + 1) ?? 0);
}

export const targetOf = (pod: Pod): string => `${pod.host}:${pod.port}`;

/** Posts to a decode pod, as the picker would have it for a disaggregated request. */
export const postDisaggregated = (
  decode: Pod,
  prefill: Pod | string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  post(decode, path, body, {
    "x-prefiller-host-port": typeof prefill === "string" ? prefill : targetOf(prefill),
    ...headers,
  });

/** `GET /sim/sidecar` and the counters of `GET /sim/state`. */
export async function countsOf(pod: Pod): Promise<Record<string, Record<string, number>>> {
  const state = JSON.parse((await get(pod, "/sim/state")).text) as { kv: Record<string, Record<string, number>> };
  const sidecar = await get(pod, "/sim/sidecar");
  return {
    ...state.kv,
    ...(sidecar.status === 200 ? { sidecar: JSON.parse(sidecar.text) as Record<string, number> } : {}),
  };
}
