import type { Endpoints } from "./endpoints.ts";

/**
 * The candidates of one request, fixed when its producers start. A row is a candidate's place in this table and stays
 * its name for the request's life: producers fill columns by row. Slots are where its signals are.
 */
export class CandidateTable {
  readonly slots: Int32Array;
  readonly generations: Uint32Array;

  constructor(slots: Int32Array, endpoints: Endpoints) {
    this.slots = slots;
    this.generations = new Uint32Array(slots.length);
    for (let row = 0; row < slots.length; row++) this.generations[row] = endpoints.generation[slots[row]];
  }

  get count(): number {
    return this.slots.length;
  }

  /** Row of an endpoint; -1 when it is no candidate. */
  rowOf(slot: number, generation: number): number {
    const row = this.slots.indexOf(slot);
    return row >= 0 && this.generations[row] === generation ? row : -1;
  }

  /** True when the endpoint of any row is still there. */
  isAnyPresent(endpoints: Endpoints): boolean {
    return this.slots.some((slot, row) => endpoints.holds(slot, this.generations[row]));
  }

  /** All rows whose endpoint is still there. */
  present(endpoints: Endpoints): Candidates {
    const candidates = new Candidates(this.count);
    for (let row = 0; row < this.count; row++) {
      if (endpoints.holds(this.slots[row], this.generations[row])) candidates.push(row, this.slots[row]);
    }
    return candidates;
  }
}

/** A list of candidates, in order: what a filter narrows and a scorer scores. */
export class Candidates {
  /** Length of the list; only the first `count` entries of `rows` and `slots` count. */
  count = 0;
  /** Row of each candidate in the request's table: index into producers' columns. */
  readonly rows: Int32Array;
  /** Slot of each candidate: index into the columns of `Endpoints`. */
  readonly slots: Int32Array;

  constructor(capacity: number) {
    this.rows = new Int32Array(capacity);
    this.slots = new Int32Array(capacity);
  }

  push(row: number, slot: number): void {
    this.rows[this.count] = row;
    this.slots[this.count] = slot;
    this.count++;
  }

  /** Keeps only the candidates at the given places of this list, in that order. */
  keep(places: Int32Array, count: number): void {
    const rows = this.rows.slice(0, this.count);
    const slots = this.slots.slice(0, this.count);
    for (let i = 0; i < count; i++) {
      this.rows[i] = rows[places[i]];
      this.slots[i] = slots[places[i]];
    }
    this.count = count;
  }
}
