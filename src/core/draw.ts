import { xxh64, xxh64Text } from "./xxh64.ts";

/**
 * Chance as a hash. A draw depends on nothing but its own names, so another consumer or another order of candidates
 * shifts no other draw, and configs compared in simulation share their chance.
 */

/** Hash of a name (a plugin, an endpoint id) to be given to `draw`; compute once, keep. */
export const drawName = (name: string): Uint32Array => xxh64Text(name);

const words = new Uint32Array(8);
const bytes = new Uint8Array(words.buffer);
const out = new Uint32Array(2);

/**
 * U in [0, 1) with 53 random bits: hash(seed, request key, attempt, consumer, subject).
 * `consumer` and `subject` come from `drawName`.
 */
export function draw(seed: number, key: number, attempt: number, consumer: Uint32Array, subject: Uint32Array): number {
  words[0] = seed;
  words[1] = key;
  words[2] = Math.floor(key / 0x1_0000_0000);
  words[3] = attempt;
  words[4] = consumer[0];
  words[5] = consumer[1];
  words[6] = subject[0];
  words[7] = subject[1];
  xxh64(bytes, 0, 32, out, 0);
  return (out[1] * 0x20_0000 + (out[0] >>> 11)) / 0x20_0000_0000_0000;
}
