import type { EngineRequest, EngineSink } from "./engine-types.ts";

/** Blocks stored and removed while a step was made up, kept until the step ends and then told in their order. */
export class BlockLog<R extends EngineRequest> {
  // A stored run is (request, first, count), a removed block (undefined, low half, high half).
  readonly #requests: (R | undefined)[] = [];
  readonly #a: number[] = [];
  readonly #b: number[] = [];

  stored(request: R, first: number, count: number): void {
    this.#requests.push(request);
    this.#a.push(first);
    this.#b.push(count);
  }

  removed(lo: number, hi: number): void {
    this.#requests.push(undefined);
    this.#a.push(lo);
    this.#b.push(hi);
  }

  flush(sink: EngineSink<R>, timeUs: number): void {
    if (this.#requests.length === 0) return;
    for (let i = 0; i < this.#requests.length; i++) {
      const request = this.#requests[i];
      if (request) sink.blocksStored?.(request, timeUs, this.#a[i], this.#b[i]);
      else sink.blockRemoved?.(timeUs, this.#a[i], this.#b[i]);
    }
    this.#requests.length = 0;
    this.#a.length = 0;
    this.#b.length = 0;
  }
}
