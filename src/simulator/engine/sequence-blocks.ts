import type { BlockLog } from "./block-log.ts";
import type { BlockPool } from "./block-pool.ts";
import type { EngineOptions, EngineRequest } from "./engine-types.ts";
import type { Sequence } from "./sequence-list.ts";

/** The blocks of sequences: finding a cached prefix, taking blocks for tokens to compute, storing, giving back. */
export class SequenceBlocks<R extends EngineRequest> {
  readonly #pool: BlockPool;
  readonly #log: BlockLog<R>;
  readonly #blockSize: number;
  readonly #prefixCaching: boolean;
  readonly #cacheGenerated: boolean;

  constructor(options: EngineOptions, pool: BlockPool, log: BlockLog<R>) {
    this.#pool = pool;
    this.#log = log;
    this.#blockSize = options.blockSizeTokens;
    this.#prefixCaching = options.prefixCaching ?? true;
    this.#cacheGenerated = options.cacheGeneratedTokens ?? true;
  }

  /**
   * Looks up the longest cached prefix of a sequence that holds no blocks, notes its blocks and returns its tokens.
   * At least one token stays to be computed. The blocks are not held until `allocate` succeeds.
   */
  lookUp(sequence: Sequence<R>): number {
    const { request, blocks } = sequence;
    const known = request.promptTokens + sequence.generatedTokens;
    const most = Math.min(Math.floor((known - 1) / this.#blockSize), this.#hashedBlocks(request));
    let hit = 0;
    while (hit < most) {
      const block = this.#pool.find(request.hashLo[hit], request.hashHi[hit]);
      if (block < 0) break;
      blocks[hit++] = block;
    }
    return hit * this.#blockSize;
  }

  /**
   * Makes room for `tokens` tokens from the start; of these `hitTokens` were just looked up (0 for a sequence that
   * holds its blocks already). False, and nothing is done, when there are too few free blocks.
   * Full blocks are stored at once, as in vLLM: who is scheduled later in the same step can hit them.
   */
  allocate(sequence: Sequence<R>, tokens: number, hitTokens: number): boolean {
    if (!this.reserve(sequence, tokens, hitTokens)) return false;
    this.store(sequence, tokens);
    return true;
  }

  /** As `allocate`, but no block is stored: their content is still to come. */
  reserve(sequence: Sequence<R>, tokens: number, hitTokens: number): boolean {
    const pool = this.#pool;
    const hitBlocks = hitTokens / this.#blockSize;
    const held = sequence.blockCount + hitBlocks;
    const wanted = Math.ceil(tokens / this.#blockSize);
    let fromFree = Math.max(0, wanted - held);
    for (let i = 0; i < hitBlocks; i++) if (pool.isFree(sequence.blocks[i])) fromFree++;
    if (fromFree > pool.freeBlocks) return false;
    for (let i = 0; i < hitBlocks; i++) pool.touch(sequence.blocks[i]);
    for (let i = held; i < wanted; i++) sequence.blocks[i] = pool.take();
    sequence.blockCount = Math.max(held, wanted);
    sequence.storedBlocks += hitBlocks;
    return true;
  }

  /** Gives all blocks back, the last first, so that the end of a sequence is taken for other use before its start. */
  release(sequence: Sequence<R>): void {
    for (let i = sequence.blockCount - 1; i >= 0; i--) this.#pool.release(sequence.blocks[i]);
    sequence.blockCount = 0;
    sequence.storedBlocks = 0;
  }

  /** The first `tokens` tokens are in the sequence's blocks, or will be when the step ends: full blocks can be hit. */
  store(sequence: Sequence<R>, tokens: number): void {
    const { request } = sequence;
    const first = sequence.storedBlocks;
    const end = Math.min(Math.floor(tokens / this.#blockSize), this.#hashedBlocks(request));
    if (first >= end) return;
    for (let i = first; i < end; i++) this.#pool.store(sequence.blocks[i], request.hashLo[i], request.hashHi[i]);
    sequence.storedBlocks = end;
    this.#log.stored(request, first, end - first);
  }

  #hashedBlocks(request: R): number {
    if (!this.#prefixCaching) return 0;
    if (this.#cacheGenerated) return request.hashLo.length;
    return Math.min(request.hashLo.length, Math.floor(request.promptTokens / this.#blockSize));
  }
}
