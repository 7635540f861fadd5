/**
 * Reads usage from an answer while it passes. Nothing of the answer is kept but the members that tell usage, so memory
 * is bounded whatever the answer's size, and an object may be cut at any byte.
 */
import type { ResponseReader, Usage } from "../../core/parser.ts";
import { ByteMark } from "./byte-mark.ts";
import { JsonPicker } from "./json-picker.ts";

/** Where an API tells usage. */
export interface UsageSource {
  /** Members to pick from an object (see `JsonPicker`). */
  readonly paths: readonly string[];
  /** What one complete object says; `value(i)` is the member at `paths[i]`. */
  read(value: (index: number) => unknown): Usage | undefined;
}

/** Where the events of a stream tell it. */
export interface EventUsageSource extends UsageSource {
  /** Every event that tells usage holds this. */
  readonly mark: ByteMark;
}

/** A reader whose `push` also tells what usage those very bytes completed (the stock EPP observes each such part). */
export interface UsageReader extends ResponseReader {
  push(chunk: Uint8Array, endOfStream: boolean): Usage | undefined;
}

const LINE_FEED = 0x0a;
const DATA_PREFIX = new TextEncoder().encode("data: ");
/** What events hold where usage is a member of that name. */
export const USAGE_MARK = new ByteMark('usage"');

/** A count from an answer: a whole number within what a double holds exactly; -1 for all else. */
export function tokenCount(value: unknown): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0) || number > Number.MAX_SAFE_INTEGER) return -1;
  return Math.floor(number);
}

/** A JSON object's member; undefined for what is none. */
export function member(object: unknown, name: string): unknown {
  if (typeof object !== "object" || object === null || Array.isArray(object)) return undefined;
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;
}

/** Reads usage from a body that is one JSON object, once it has ended. */
export class JsonUsageReader implements UsageReader {
  readonly #source: UsageSource;
  readonly #picker: JsonPicker;
  #usage: Usage | undefined;

  constructor(source: UsageSource) {
    this.#source = source;
    this.#picker = new JsonPicker(source.paths);
  }

  push(chunk: Uint8Array, endOfStream: boolean): Usage | undefined {
    this.#picker.push(chunk, 0, chunk.length);
    if (endOfStream) this.#usage = readUsage(this.#source, this.#picker);
    return endOfStream ? this.#usage : undefined;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }
}

/**
 * Reads usage from server-sent events: of each line `data: {...}`; what a later event says counts.
 *
 * @param joins False to look within one chunk only, as the stock EPP does: a line cut in two tells nothing.
 */
export class EventStreamUsageReader implements UsageReader {
  readonly #source: EventUsageSource;
  readonly #picker: JsonPicker;
  readonly #joins: boolean;
  /** Bytes of the prefix seen of an unfinished line; -1 in a line that is no data. */
  #prefix = 0;
  #usage: Usage | undefined;

  constructor(source: EventUsageSource, joins: boolean) {
    this.#source = source;
    this.#picker = new JsonPicker(source.paths);
    this.#joins = joins;
  }

  push(chunk: Uint8Array, endOfStream: boolean): Usage | undefined {
    let carried: Usage | undefined;
    let p = 0;
    while (p < chunk.length) {
      const lineFeed = chunk.indexOf(LINE_FEED, p);
      const end = lineFeed < 0 ? chunk.length : lineFeed;
      const isWholeLine = this.#prefix === 0 && lineFeed >= 0;
      if (!isWholeLine || this.#source.mark.isIn(chunk, p, end)) this.#passLine(chunk, p, end);
      if (lineFeed >= 0) carried = merge(carried, this.#endLine());
      p = end + 1;
    }
    if (endOfStream || !this.#joins) carried = merge(carried, this.#endLine());
    this.#usage = merge(this.#usage, carried);
    return carried;
  }

  usage(): Usage | undefined {
    return this.#usage;
  }

  #passLine(chunk: Uint8Array, start: number, end: number): void {
    let p = start;
    while (p < end && this.#prefix >= 0 && this.#prefix < DATA_PREFIX.length) {
      this.#prefix = chunk[p++] === DATA_PREFIX[this.#prefix] ? this.#prefix + 1 : -1;
      if (this.#prefix === DATA_PREFIX.length) this.#picker.reset();
    }
    if (this.#prefix === DATA_PREFIX.length) this.#picker.push(chunk, p, end);
  }

  #endLine(): Usage | undefined {
    const isData = this.#prefix === DATA_PREFIX.length;
    this.#prefix = 0;
    return isData ? readUsage(this.#source, this.#picker) : undefined;
  }
}

function readUsage(source: UsageSource, picker: JsonPicker): Usage | undefined {
  return picker.isComplete ? source.read((index) => picker.value(index)) : undefined;
}

/** What `after` says counts, where it says something. */
function merge(before: Usage | undefined, after: Usage | undefined): Usage | undefined {
  if (before === undefined || after === undefined) return after ?? before;
  return {
    promptTokens: after.promptTokens < 0 ? before.promptTokens : after.promptTokens,
    completionTokens: after.completionTokens < 0 ? before.completionTokens : after.completionTokens,
    cachedTokens: after.cachedTokens < 0 ? before.cachedTokens : after.cachedTokens,
  };
}
