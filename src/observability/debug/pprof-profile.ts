import { gzipSync } from "node:zlib";
import { ProtoWriter } from "../../protocol/proto-writer.ts";

/** A place in the code, as V8 names it. Lines count from 0. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** What was measured of one stack. */
export interface StackSample {
  /** The innermost call first. */
  readonly stack: readonly CallFrame[];
  /** One whole number for each of the profile's types. */
  readonly values: readonly number[];
}

export interface PprofProfile {
  /** What is measured, with its unit: `["cpu", "nanoseconds"]`. */
  readonly types: readonly (readonly [type: string, unit: string])[];
  /** What of it one sample stands for, and of which type that is. */
  readonly period: { readonly type: readonly [type: string, unit: string]; readonly value: number };
  readonly startMs: number;
  readonly durationMs: number;
  readonly samples: readonly StackSample[];
}

/** Field numbers of pprof's profile.proto (github.com/google/pprof). */
const PROFILE = {
  sampleType: 1,
  sample: 2,
  location: 4,
  function: 5,
  stringTable: 6,
  timeNanos: 9,
  durationNanos: 10,
  periodType: 11,
  period: 12,
} as const;
const VALUE_TYPE = { type: 1, unit: 2 } as const;
const SAMPLE = { locationId: 1, value: 2 } as const;
const LOCATION = { id: 1, line: 4 } as const;
const LINE = { functionId: 1, line: 2 } as const;
const FUNCTION = { id: 1, name: 2, systemName: 3, filename: 4, startLine: 5 } as const;

/** Writes a profile as `go tool pprof` and its kin read it: profile.proto, gzipped. */
export function encodePprof(profile: PprofProfile): Uint8Array {
  const texts = new Numbering();
  texts.of("");
  const frames = new Map<string, { readonly id: number; readonly frame: CallFrame }>();
  const placeOf = (frame: CallFrame): number => {
    const key = `${frame.url}\n${frame.lineNumber}\n${frame.functionName}`;
    const known = frames.get(key) ?? { id: frames.size + 1, frame };
    frames.set(key, known);
    return known.id;
  };
  // The writer goes from the end to the beginning, and the string table has to know all texts first.
  const writer = new ProtoWriter();
  writer.reset();
  writer.integer(PROFILE.period, profile.period.value);
  writeValueType(writer, PROFILE.periodType, profile.period.type, texts);
  writer.integer(PROFILE.durationNanos, Math.round(profile.durationMs * 1e6));
  writer.integer(PROFILE.timeNanos, Math.round(profile.startMs) * 1e6);
  for (const { stack, values } of profile.samples) {
    const mark = writer.mark();
    for (const value of values.toReversed()) writer.integer(SAMPLE.value, value);
    for (const frame of stack.toReversed()) writer.integer(SAMPLE.locationId, placeOf(frame));
    writer.close(PROFILE.sample, mark);
  }
  for (const type of profile.types.toReversed()) writeValueType(writer, PROFILE.sampleType, type, texts);
  for (const { id, frame } of frames.values()) writePlace(writer, id, frame, texts);
  for (const text of [...texts.all].toReversed()) writer.text(PROFILE.stringTable, text);
  return gzipSync(writer.take());
}

function writeValueType(
  writer: ProtoWriter,
  field: number,
  [type, unit]: readonly [string, string],
  texts: Numbering,
): void {
  const mark = writer.mark();
  writer.integer(VALUE_TYPE.unit, texts.of(unit));
  writer.integer(VALUE_TYPE.type, texts.of(type));
  writer.close(field, mark);
}

/** A location and its function; each place is one of both, under the same number. */
function writePlace(writer: ProtoWriter, id: number, frame: CallFrame, texts: Numbering): void {
  const name = texts.of(frame.functionName || "(anonymous)");
  const line = Math.max(0, frame.lineNumber + 1);
  const ofFunction = writer.mark();
  writer.integer(FUNCTION.startLine, line);
  writer.integer(FUNCTION.filename, texts.of(frame.url));
  writer.integer(FUNCTION.systemName, name);
  writer.integer(FUNCTION.name, name);
  writer.integer(FUNCTION.id, id);
  writer.close(PROFILE.function, ofFunction);
  const ofLocation = writer.mark();
  const ofLine = writer.mark();
  writer.integer(LINE.line, line);
  writer.integer(LINE.functionId, id);
  writer.close(LOCATION.line, ofLine);
  writer.integer(LOCATION.id, id);
  writer.close(PROFILE.location, ofLocation);
}

/** Numbers texts from 0 on, each once. */
class Numbering {
  readonly #numbers = new Map<string, number>();

  get all(): Iterable<string> {
    return this.#numbers.keys();
  }

  of(text: string): number {
    const known = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, known);
    return known;
  }
}
