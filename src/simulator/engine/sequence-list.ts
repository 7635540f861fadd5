import type { EngineRequest } from "./engine-types.ts";

/** A request inside the engine: its place in a list, its blocks and how far it is. */
export interface Sequence<R extends EngineRequest> {
  readonly request: R;
  /** The list that holds it, undefined once it ended. */
  list: SequenceList<R> | undefined;
  prev: Sequence<R> | undefined;
  next: Sequence<R> | undefined;
  /** Block numbers, `blockCount` of them in use. */
  readonly blocks: Int32Array;
  blockCount: number;
  /** How many of its blocks, from the first, were given their hash or found by it. */
  storedBlocks: number;
  computedTokens: number;
  generatedTokens: number;
  /** Set once it first left the queue, with what of its prompt was cached then. */
  started: boolean;
  cachedTokens: number;
  /** Prompt tokens that came from a peer, after the cached ones. */
  fetchedTokens: number;
}

/** A sequence that has nothing yet, with room for the blocks of its whole answer. */
export const newSequence = <R extends EngineRequest>(request: R, blockSizeTokens: number): Sequence<R> => ({
  request,
  list: undefined,
  prev: undefined,
  next: undefined,
  blocks: new Int32Array(Math.ceil((request.promptTokens + request.outputTokens) / blockSizeTokens)),
  blockCount: 0,
  storedBlocks: 0,
  computedTokens: 0,
  generatedTokens: 0,
  started: false,
  cachedTokens: 0,
  fetchedTokens: 0,
});

/** Requests in order, linked through themselves: add at either end and take out anywhere in constant time. */
export class SequenceList<R extends EngineRequest> {
  head: Sequence<R> | undefined;
  tail: Sequence<R> | undefined;
  size = 0;

  append(sequence: Sequence<R>): void {
    sequence.list = this;
    sequence.prev = this.tail;
    sequence.next = undefined;
    if (this.tail) this.tail.next = sequence;
    else this.head = sequence;
    this.tail = sequence;
    this.size++;
  }

  prepend(sequence: Sequence<R>): void {
    sequence.list = this;
    sequence.prev = undefined;
    sequence.next = this.head;
    if (this.head) this.head.prev = sequence;
    else this.tail = sequence;
    this.head = sequence;
    this.size++;
  }

  /** The sequence must be in this list. */
  remove(sequence: Sequence<R>): void {
    const { prev, next } = sequence;
    if (prev) prev.next = next;
    else this.head = next;
    if (next) next.prev = prev;
    else this.tail = prev;
    sequence.list = undefined;
    sequence.prev = undefined;
    sequence.next = undefined;
    this.size--;
  }
}
