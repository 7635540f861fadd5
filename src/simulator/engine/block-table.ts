/**
 * Which block holds a hash: open addressing with linear probing over block numbers; the hashes themselves are columns of
 * the pool. Two blocks may hold one hash (a block computed again), each has its own entry.
 */
export class BlockTable {
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #hashLo: Uint32Array;
  readonly #hashHi: Uint32Array;

  /** `hashLo` and `hashHi` give each block's hash; they are read, and may change only while the block has no entry. */
  constructor(hashLo: Uint32Array, hashHi: Uint32Array) {
    let size = 4;
    while (size < hashLo.length * 2) size *= 2;
    this.#slots = new Int32Array(size).fill(-1);
    this.#mask = size - 1;
    this.#hashLo = hashLo;
    this.#hashHi = hashHi;
  }

  /** A block with this hash, -1 when there is none. */
  find(lo: number, hi: number): number {
    for (let at = lo & this.#mask; ; at = (at + 1) & this.#mask) {
      const block = this.#slots[at];
      if (block < 0) return -1;
      if (this.#hashLo[block] === lo && this.#hashHi[block] === hi) return block;
    }
  }

  insert(block: number): void {
    let at = this.#hashLo[block] & this.#mask;
    while (this.#slots[at] >= 0) at = (at + 1) & this.#mask;
    this.#slots[at] = block;
  }

  /** Takes out the entry of a block that is in the table. */
  remove(block: number): void {
    let hole = this.#hashLo[block] & this.#mask;
    while (this.#slots[hole] !== block) hole = (hole + 1) & this.#mask;
    // Close the gap: an entry whose home lies at or before the hole moves into it.
    for (let at = (hole + 1) & this.#mask; this.#slots[at] >= 0; at = (at + 1) & this.#mask) {
      const home = this.#hashLo[this.#slots[at]] & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#slots[hole] = this.#slots[at];
      hole = at;
    }
    this.#slots[hole] = -1;
  }

  clear(): void {
    this.#slots.fill(-1);
  }
}
