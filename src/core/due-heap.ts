import type { Micros } from "./env.ts";

/** Deadlines in order of time; equal ones in the order in which they came. */
export class DueHeap {
  readonly #items: { readonly atUs: Micros; readonly order: number; readonly id: number }[] = [];
  #order = 0;

  /** Earliest deadline; undefined when there is none. */
  get nextUs(): Micros | undefined {
    return this.#items[0]?.atUs;
  }

  get size(): number {
    return this.#items.length;
  }

  push(atUs: Micros, id: number): void {
    const items = this.#items;
    items.push({ atUs, order: this.#order++, id });
    let at = items.length - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#before(at, up)) break;
      this.#swap(at, up);
      at = up;
    }
  }

  /** Takes the id of the earliest deadline at or before `nowUs`; undefined when none is due. */
  popDue(nowUs: Micros): number | undefined {
    const items = this.#items;
    if (items.length === 0 || items[0].atUs > nowUs) return undefined;
    return this.#pop();
  }

  /** Drops leading deadlines that nobody waits for. */
  prune(isLive: (id: number) => boolean): void {
    while (this.#items.length > 0 && !isLive(this.#items[0].id)) this.#pop();
  }

  #pop(): number {
    const items = this.#items;
    const { id } = items[0];
    const last = items.pop()!;
    if (items.length > 0) {
      items[0] = last;
      this.#sink(0);
    }
    return id;
  }

  #sink(from: number): void {
    let at = from;
    for (;;) {
      const left = 2 * at + 1;
      let least = at;
      if (left < this.#items.length && this.#before(left, least)) least = left;
      if (left + 1 < this.#items.length && this.#before(left + 1, least)) least = left + 1;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const x = this.#items[a];
    const y = this.#items[b];
    return x.atUs < y.atUs || (x.atUs === y.atUs && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const item = this.#items[a];
    this.#items[a] = this.#items[b];
    this.#items[b] = item;
  }
}
