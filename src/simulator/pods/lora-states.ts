import type { PodRequest } from "./pod-request.ts";

/** As vLLM keeps them: one series for each combination of running and waiting adapters ever seen; the latest counts. */
export class LoraStates {
  readonly states = new Map<string, { running: string; waiting: string; seconds: number }>();

  /** Notes which adapters run and wait now. */
  note(requests: Iterable<PodRequest>, nowSeconds: number): void {
    const running = new Set<string>();
    const waiting = new Set<string>();
    for (const { params, state } of requests) {
      if (params.adapter !== undefined) (state === "running" ? running : waiting).add(params.adapter);
    }
    const names = { running: [...running].join(","), waiting: [...waiting].join(",") };
    const key = `${names.running}/${names.waiting}`;
    this.states.delete(key);
    this.states.set(key, { ...names, seconds: nowSeconds });
    // The map is in the order of last sight: the oldest goes.
    if (this.states.size > COMBINATIONS_MAX) this.states.delete(this.states.keys().next().value!);
  }
}

const COMBINATIONS_MAX = 100;
