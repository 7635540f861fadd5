import { BlockTable } from "./block-table.ts";

/**
 * The KV blocks of one engine: reference counts, hashes, and the free list, an LRU queue. A free block keeps its hash
 * until it is taken for other use, so it can be hit and come back. Block 0 is never given out, as in vLLM.
 */
export class BlockPool {
  readonly usableBlocks: number;
  #free = 0;
  readonly #refs: Int32Array;
  readonly #hashed: Uint8Array;
  readonly #hashLo: Uint32Array;
  readonly #hashHi: Uint32Array;
  readonly #table: BlockTable;
  // The free list is a ring through block 0, which is its head and end.
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #onRemoved: (lo: number, hi: number) => void;

  /** `onRemoved` is called when a block loses its hash because it is taken for other use. */
  constructor(gpuBlocks: number, onRemoved: (lo: number, hi: number) => void) {
    this.usableBlocks = gpuBlocks - 1;
    this.#refs = new Int32Array(gpuBlocks);
    this.#hashed = new Uint8Array(gpuBlocks);
    this.#hashLo = new Uint32Array(gpuBlocks);
    this.#hashHi = new Uint32Array(gpuBlocks);
    this.#table = new BlockTable(this.#hashLo, this.#hashHi);
    this.#next = new Int32Array(gpuBlocks);
    this.#prev = new Int32Array(gpuBlocks);
    this.#onRemoved = onRemoved;
    for (let block = 1; block < gpuBlocks; block++) this.#append(block);
  }

  get freeBlocks(): number {
    return this.#free;
  }

  /** A block that holds this hash, -1 when there is none. */
  find(lo: number, hi: number): number {
    return this.#table.find(lo, hi);
  }

  isFree(block: number): boolean {
    return this.#refs[block] === 0;
  }

  /** One more user of a block that was found. */
  touch(block: number): void {
    if (this.#refs[block]++ === 0) this.#unlink(block);
  }

  /** The block that was free the longest, for one user; its old hash goes. There must be a free one. */
  take(): number {
    const block = this.#next[0];
    if (block === 0) throw new RangeError("Cannot take a block: none is free");
    this.#unlink(block);
    this.#refs[block] = 1;
    if (this.#hashed[block] === 1) {
      this.#table.remove(block);
      this.#hashed[block] = 0;
      this.#onRemoved(this.#hashLo[block], this.#hashHi[block]);
    }
    return block;
  }

  /** Gives a block in use its hash: from now on it can be found. */
  store(block: number, lo: number, hi: number): void {
    if (this.#hashed[block] === 1) throw new Error(`Cannot store block ${block}: it has a hash`);
    this.#hashLo[block] = lo;
    this.#hashHi[block] = hi;
    this.#hashed[block] = 1;
    this.#table.insert(block);
  }

  /** One user less; the last one puts it at the end of the free list. */
  release(block: number): void {
    if (this.#refs[block] <= 0) throw new Error(`Cannot release block ${block}: it has no user`);
    if (--this.#refs[block] === 0) this.#append(block);
  }

  /** Forgets all hashes. False, and nothing is done, while a block is in use. */
  clear(): boolean {
    if (this.#free !== this.usableBlocks) return false;
    this.#hashed.fill(0);
    this.#table.clear();
    return true;
  }

  #append(block: number): void {
    const last = this.#prev[0];
    this.#next[last] = block;
    this.#prev[block] = last;
    this.#next[block] = 0;
    this.#prev[0] = block;
    this.#free++;
  }

  #unlink(block: number): void {
    const next = this.#next[block];
    const prev = this.#prev[block];
    this.#next[prev] = next;
    this.#prev[next] = prev;
    this.#free--;
  }
}
