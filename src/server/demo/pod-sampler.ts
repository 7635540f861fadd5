import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import type { PodSample } from "./demo-types.ts";

/** Where a pod's page is, and what it is called. */
export interface SampledPod {
  readonly name: string;
  readonly url: string;
}

const PAGE_BYTES_MAX = 1024 * 1024;
const POLL_MS_MAX = 2000;

/** Reads the pods' `/metrics` pages, as Prometheus would. One for all pods of a fleet. */
export class PodSampler {
  readonly #pods: readonly SampledPod[];
  readonly #agent = new Agent({ connections: 1 });
  #zero: readonly PodSample[] = [];

  constructor(pods: readonly SampledPod[]) {
    this.#pods = pods;
  }

  /** One look at all pods, in their order. Rejects when one does not answer. */
  async look(): Promise<readonly PodSample[]> {
    const pods = await Promise.all(this.#pods.map(({ name, url }) => this.#read(name, url)));
    return pods.map((pod, i) => since(pod, this.#zero[i]));
  }

  /** Counts from now on: later looks tell what came after this. */
  async zero(): Promise<void> {
    this.#zero = [];
    this.#zero = await this.look();
  }

  /** Looks again and again until `signal` ends it; a look that fails is passed over. */
  async watch(everyMs: number, signal: AbortSignal, seen: (pods: readonly PodSample[]) => void): Promise<void> {
    while (!signal.aborted) {
      const pods = await this.look().catch(() => undefined);
      if (pods && !signal.aborted) seen(pods);
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #read(pod: string, url: string): Promise<PodSample> {
    const options = { dispatcher: this.#agent, headersTimeout: POLL_MS_MAX, bodyTimeout: POLL_MS_MAX };
    const { statusCode, body } = await request(`${url}/metrics`, options);
    const page = await body.text();
    if (statusCode !== 200) throw new Error(`Cannot read metrics of ${pod}: found status ${statusCode}`);
    if (page.length > PAGE_BYTES_MAX) throw new Error(`Cannot read metrics of ${pod}: over ${PAGE_BYTES_MAX} bytes`);
    return {
      pod,
      waiting: sumOf(page, "vllm:num_requests_waiting"),
      running: sumOf(page, "vllm:num_requests_running"),
      kvUsage: sumOf(page, "vllm:kv_cache_usage_perc"),
      queriesTokens: sumOf(page, "vllm:prefix_cache_queries_total"),
      hitsTokens: sumOf(page, "vllm:prefix_cache_hits_total"),
      requests: sumOf(page, "vllm:request_success_total"),
    };
  }
}

function since(pod: PodSample, before: PodSample | undefined): PodSample {
  if (!before) return pod;
  return {
    ...pod,
    queriesTokens: pod.queriesTokens - before.queriesTokens,
    hitsTokens: pod.hitsTokens - before.hitsTokens,
    requests: pod.requests - before.requests,
  };
}

/** Sum over the series of a family. Throws when the page has none. */
export function sumOf(page: string, family: string): number {
  let sum = 0;
  let seen = false;
  for (const line of page.split("\n")) {
    if (!line.startsWith(family)) continue;
    const rest = line.slice(family.length);
    if (rest[0] !== "{" && rest[0] !== " ") continue;
    seen = true;
    sum += Number(
      rest
        .slice(rest.lastIndexOf("}") + 1)
        .trim()
        .split(" ", 1)[0],
    );
  }
  if (!seen) throw new Error(`Cannot read metrics: the page has no ${family}`);
  return sum;
}

/** Share of prompt tokens that were found in the pods' caches, 0 to 1; 0 before the first request. */
export function hitRateOf(pods: readonly PodSample[]): number {
  let hits = 0;
  let queries = 0;
  for (const { hitsTokens, queriesTokens } of pods) {
    hits += hitsTokens;
    queries += queriesTokens;
  }
  return queries === 0 ? 0 : hits / queries;
}
