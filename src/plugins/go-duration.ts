import type { Micros } from "../core/env.ts";

const UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
/** Greatest duration that Go can hold: 2^63 - 1 ns, about 292 years. */
const GO_DURATION_NS_MAX = 9_223_372_036_854_775_808;

/**
 * A duration as Go's time.ParseDuration reads it (`200ms`, `1h15m30.5s`, `-1s`, `0`), in whole microseconds: what is
 * below a microsecond is cut off. Undefined when it is none, or longer than Go can hold.
 */
export function parseGoDuration(text: string): Micros | undefined {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = text.replace(/^[-+]/, "");
  if (body === "0") return 0;
  if (body === "") return undefined;
  let ns = 0;
  for (let at = 0; at < body.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const part = PART.exec(body);
    if (!part) return undefined;
    ns += Number(part[1]) * UNIT_NS[part[2]];
  }
  if (ns >= GO_DURATION_NS_MAX) return undefined;
  return sign * Math.floor(ns / 1000) || 0;
}
