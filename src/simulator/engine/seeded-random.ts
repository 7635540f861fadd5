import { xxh64Text } from "../../core/xxh64.ts";

/** A stream of chance: the same seed and name give the same numbers everywhere. */
export interface SeededRandom {
  /** A whole number from 0 to 2^32 - 1. */
  bits(): number;
  /** A number in [0, 1) with 32 random bits. */
  unit(): number;
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded by a hash of the seed and a name for what the stream is for. */
export function createSeededRandom(seed: number, name: string): SeededRandom {
  const [lo, hi] = xxh64Text(`${seed}/${name}`);
  let a = lo | 0;
  let b = hi | 0;
  let c = (lo ^ 0x9e3779b9) | 0;
  let counter = 1;
  const bits = (): number => {
    const out = (((a + b) | 0) + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  };
  for (let i = 0; i < 12; i++) bits();
  const unit = (): number => bits() / 0x1_0000_0000;
  const below = (bound: number): number => Math.floor(unit() * bound);
  return { bits, unit, below, between: (min, max) => min + below(max - min + 1) };
}
