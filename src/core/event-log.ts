import type { CoreLimits } from "./core-limits.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import type { CoreEvent } from "./events.ts";
import { EVENT_FORMAT_VERSION } from "./events.ts";

/**
 * Events as lines of JSON. The first line says what the log is, the last one what came of it:
 *
 *     {"format":"warmpath-events","version":1,"seed":7,"limits":{...}}
 *     {"n":0,"atUs":0,"type":"configLoaded", ...}
 *     {"end":{"events":1,"decisions":0,"hash":"..."}}
 *
 * Each event has its number `n`, so that a lost line is seen. Block ids are base64 of little-endian words.
 */
export interface LogHeader {
  readonly format: "warmpath-events";
  readonly version: number;
  readonly seed: number;
  /** Limits of the core that ran: some of them change decisions. */
  readonly limits: CoreLimits;
}

/** What the run came to. */
export interface LogEnd {
  readonly events: number;
  readonly decisions: number;
  readonly hash: string;
}

export type LogLine =
  | { readonly kind: "event"; readonly event: CoreEvent; readonly number: number }
  | { readonly kind: "end"; readonly end: LogEnd };

export const headerLine = (seed: number, limits: CoreLimits): string =>
  JSON.stringify({ format: "warmpath-events", version: EVENT_FORMAT_VERSION, seed, limits } satisfies LogHeader);

export const eventLine = (event: CoreEvent, number: number): string =>
  JSON.stringify({ n: number, ...event }, packWords);

export const endLine = (end: LogEnd): string => JSON.stringify({ end });

/** Reads the first line. Throws when it is no log, or a newer one. */
export function readHeader(line: string): LogHeader {
  const header = parse(line, 1) as LogHeader;
  if (header?.format !== "warmpath-events") throw new Error(`Cannot read event log: line 1 is no header of one`);
  if (header.version > EVENT_FORMAT_VERSION) {
    throw new Error(`Cannot read event log: found version ${header.version}, expected at most ${EVENT_FORMAT_VERSION}`);
  }
  return header;
}

/** Reads any later line; `lineNumber` is for the error message. */
export function readLine(line: string, lineNumber: number): LogLine {
  const value = parse(line, lineNumber) as { end?: LogEnd; n?: number; type?: string };
  if (value?.end) return { kind: "end", end: value.end };
  if (typeof value?.n !== "number" || typeof value.type !== "string") {
    throw new Error(`Cannot read event log: line ${lineNumber} is no event`);
  }
  const { n, ...event } = value;
  return { kind: "event", event: event as unknown as CoreEvent, number: n };
}

function parse(line: string, lineNumber: number): unknown {
  try {
    return JSON.parse(line, unpackWords);
  } catch (error) {
    throw new Error(`Cannot read event log: line ${lineNumber}: ${(error as Error).message}`, { cause: error });
  }
}

const WORDS = "$words";
const NUMBER = "$number";

function packWords(_key: string, value: unknown): unknown {
  if (value instanceof Uint32Array) return { [WORDS]: toBase64(littleEndian(value)) };
  // JSON has no NaN, infinities or negative zero, and signals may be any of these.
  if (Object.is(value, -0)) return { [NUMBER]: "-0" };
  if (typeof value === "number" && !Number.isFinite(value)) return { [NUMBER]: String(value) };
  return value;
}

function unpackWords(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (WORDS in value) return wordsOf(fromBase64(String(value[WORDS])));
  if (NUMBER in value) return Number(value[NUMBER]);
  return value;
}

function littleEndian(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i], true);
  return bytes;
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(4 * i, true));
}
