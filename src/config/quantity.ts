const QUANTITY = /^([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?$/;
const KIBI = 1024;
const MULTIPLIER: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: KIBI,
  Mi: KIBI * KIBI,
  Gi: KIBI * KIBI * KIBI,
  Ti: KIBI * KIBI * KIBI * KIBI,
  Pi: KIBI * KIBI * KIBI * KIBI * KIBI,
  Ei: KIBI * KIBI * KIBI * KIBI * KIBI * KIBI,
};

/**
 * A Kubernetes quantity (`10`, `1.5Gi`, `2k`, `1e3`) as a whole number, rounded away from 0 (apimachinery, api/resource).
 * Undefined when it is none, or beyond what a number holds exactly (2^53).
 */
export function parseQuantity(text: string): number | undefined {
  const match = QUANTITY.exec(text);
  if (!match) return undefined;
  const [, sign, digits, suffix = ""] = match;
  const scaled = MULTIPLIER[suffix] === undefined ? Number(`${digits}${suffix}`) : Number(digits) * MULTIPLIER[suffix];
  const value = sign === "-" ? -Math.ceil(scaled) || 0 : Math.ceil(scaled);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A size of gRPC messages: a quantity, or one with a B or b behind it (`10MiB`, `25MB`). */
export const parseByteSize = (text: string): number | undefined => parseQuantity(text.replace(/[Bb]$/, ""));
