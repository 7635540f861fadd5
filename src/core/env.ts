import type { Notice } from "./notices.ts";

/** A time or duration in whole microseconds. Times count from an origin that the driver chooses. */
export type Micros = number;

/** Points of the request's way that a driver can time (names as in the stock EPP's plugin_duration_seconds). */
export type ProbePoint =
  | "RequestParsing"
  | "RequestHeader"
  | "Screener"
  | "DataProducer"
  | "Admission"
  | "Filter"
  | "Scorer"
  | "Picker"
  | "ProfilePicker"
  | "ProcessProfilesResults"
  | "PreRequest"
  | "ResponseReceived"
  | "ResponseStreaming"
  | "ResponseParsing";

/** Everything that the core gets from outside. Time comes with each event; chance is a hash of the seed. */
export interface Env {
  /** Seed of all chance (unsigned 32 bit). */
  readonly seed: number;
  /** Takes what the core has to say, in order, within the step that caused it. Must not call back into the core. */
  emit(notice: Notice): void;
  /** Times a plugin; write-only. */
  probe?(point: ProbePoint, plugin: string, edge: "begin" | "end"): void;
}
