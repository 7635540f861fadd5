/**
 * XXH64 with seed 0 over bytes, in 32-bit arithmetic: no BigInt, nothing allocated, no set-up.
 * Method: Yann Collet's xxHash specification (XXH64). It is the oracle of any faster twin.
 *
 * A 64-bit number is a pair lo, hi of unsigned 32-bit halves.
 */

// The five primes as halves.
const P1L = 0x85ebca87;
const P1H = 0x9e3779b1;
const P2L = 0x27d4eb4f;
const P2H = 0xc2b2ae3d;
const P3L = 0x9e3779f9;
const P3H = 0x165667b1;
const P4L = 0xc2b2ae63;
const P4H = 0x85ebca77;
const P5L = 0x165667c5;
const P5H = 0x27d4eb2f;

// Halves of the last product, sum or rotation: module state instead of a returned pair.
let lo = 0;
let hi = 0;

/** Hashes `bytes[start, end)`; writes the low half to `out[at]` and the high half to `out[at + 1]`. */
export function xxh64(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): void {
  const length = end - start;
  let i = start;
  if (length >= 32) {
    i = stripes(bytes, start, end);
  } else {
    lo = P5L | 0;
    hi = P5H | 0;
  }
  add(lo, hi, length | 0, Math.floor(length / 0x1_0000_0000));
  tail(bytes, i, end);
  avalanche();
  out[at] = lo;
  out[at + 1] = hi;
}

/** XXH64 of 16 bytes: LE64(a) followed by LE64(b); one step of a block chain. */
export function xxh64Pair(aLo: number, aHi: number, bLo: number, bHi: number, out: Uint32Array, at: number): void {
  add(P5L, P5H, 16, 0);
  lane(aLo, aHi);
  lane(bLo, bHi);
  avalanche();
  out[at] = lo;
  out[at + 1] = hi;
}

const encoder = new TextEncoder();

/** XXH64 of a string's UTF-8 bytes, as a pair lo, hi. */
export function xxh64Text(text: string): Uint32Array {
  const bytes = encoder.encode(text);
  const out = new Uint32Array(2);
  xxh64(bytes, 0, bytes.length, out, 0);
  return out;
}

const read32 = (b: Uint8Array, i: number): number => b[i] | (b[i + 1] << 8) | (b[i + 2] << 16) | (b[i + 3] << 24);

const accumulators = new Int32Array(8);

/** The 32-byte stripes; leaves the merged accumulators in lo, hi and returns where it stopped. */
function stripes(bytes: Uint8Array, start: number, end: number): number {
  const v = accumulators;
  add(P1L, P1H, P2L, P2H);
  v[0] = lo;
  v[1] = hi;
  v[2] = P2L;
  v[3] = P2H;
  v[4] = 0;
  v[5] = 0;
  add(0, 0, ~P1L, ~P1H);
  add(lo, hi, 1, 0);
  v[6] = lo;
  v[7] = hi;
  let i = start;
  for (; i + 32 <= end; i += 32) {
    for (let k = 0; k < 4; k++) {
      multiply(read32(bytes, i + 8 * k), read32(bytes, i + 8 * k + 4), P2L, P2H);
      add(v[2 * k], v[2 * k + 1], lo, hi);
      rotateLeft31();
      multiply(lo, hi, P1L, P1H);
      v[2 * k] = lo;
      v[2 * k + 1] = hi;
    }
  }
  merge(v);
  return i;
}

const ROTATIONS = [1, 7, 12, 18];

function merge(v: Int32Array): void {
  let sumLo = 0;
  let sumHi = 0;
  for (let k = 0; k < 4; k++) {
    const r = ROTATIONS[k];
    const l = v[2 * k];
    const h = v[2 * k + 1];
    add(sumLo, sumHi, (l << r) | (h >>> (32 - r)), (h << r) | (l >>> (32 - r)));
    sumLo = lo;
    sumHi = hi;
  }
  for (let k = 0; k < 4; k++) {
    round(v[2 * k], v[2 * k + 1]);
    multiply(sumLo ^ lo, sumHi ^ hi, P1L, P1H);
    add(lo, hi, P4L, P4H);
    sumLo = lo;
    sumHi = hi;
  }
}

/** lo, hi = rotl(input * P2, 31) * P1 */
function round(inLo: number, inHi: number): void {
  multiply(inLo, inHi, P2L, P2H);
  rotateLeft31();
  multiply(lo, hi, P1L, P1H);
}

/** Mixes one 8-byte lane into lo, hi. */
function lane(inLo: number, inHi: number): void {
  const keepLo = lo;
  const keepHi = hi;
  round(inLo, inHi);
  const x = keepLo ^ lo;
  const y = keepHi ^ hi;
  multiply((x << 27) | (y >>> 5), (y << 27) | (x >>> 5), P1L, P1H);
  add(lo, hi, P4L, P4H);
}

function tail(bytes: Uint8Array, from: number, end: number): void {
  let i = from;
  for (; i + 8 <= end; i += 8) lane(read32(bytes, i), read32(bytes, i + 4));
  if (i + 4 <= end) {
    const keepLo = lo;
    const keepHi = hi;
    multiply(read32(bytes, i), 0, P1L, P1H);
    const x = keepLo ^ lo;
    const y = keepHi ^ hi;
    multiply((x << 23) | (y >>> 9), (y << 23) | (x >>> 9), P2L, P2H);
    add(lo, hi, P3L, P3H);
    i += 4;
  }
  for (; i < end; i++) {
    const keepLo = lo;
    const keepHi = hi;
    multiply(bytes[i], 0, P5L, P5H);
    const x = keepLo ^ lo;
    const y = keepHi ^ hi;
    multiply((x << 11) | (y >>> 21), (y << 11) | (x >>> 21), P1L, P1H);
  }
}

function avalanche(): void {
  multiply(lo ^ (hi >>> 1), hi, P2L, P2H);
  multiply(lo ^ ((lo >>> 29) | (hi << 3)), hi ^ (hi >>> 29), P3L, P3H);
  lo ^= hi;
}

function rotateLeft31(): void {
  const l = (lo << 31) | (hi >>> 1);
  hi = (hi << 31) | (lo >>> 1);
  lo = l;
}

function add(aLo: number, aHi: number, bLo: number, bHi: number): void {
  const sum = (aLo >>> 0) + (bLo >>> 0);
  hi = (aHi + bHi + (sum > 0xffffffff ? 1 : 0)) | 0;
  lo = sum | 0;
}

/** 64 x 64 -> low 64 bits, by 16-bit limbs of the low halves. */
function multiply(aLo: number, aHi: number, bLo: number, bHi: number): void {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  const p00 = a0 * b0;
  const mid = a1 * b0 + (p00 >>> 16);
  const mid2 = a0 * b1 + (mid & 0xffff);
  const carry = a1 * b1 + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000);
  lo = ((mid2 & 0xffff) << 16) | (p00 & 0xffff);
  hi = (carry + Math.imul(aLo, bHi) + Math.imul(aHi, bLo)) | 0;
}
