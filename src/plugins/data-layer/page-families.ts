import { sameBytes } from "./page-bytes.ts";

/** What `# TYPE` says of a family. UNSET until a type or a sample was seen. */
export const UNSET = 0;
export const COUNTER = 1;
export const GAUGE = 2;
export const SUMMARY = 3;
export const UNTYPED = 4;
export const HISTOGRAM = 5;

/** What the suffix of a sample's name means within a summary or a histogram. */
export const PLAIN_SAMPLE = 0;
export const COUNT_SAMPLE = 1;
export const SUM_SAMPLE = 2;

/** Most families on one page; a page with more is refused. Keeps names of one hash from costing more than milliseconds. */
export const FAMILIES_MAX = 8192;

const TYPES: readonly (readonly [string, number])[] = [
  ["COUNTER", COUNTER],
  ["GAUGE", GAUGE],
  ["HISTOGRAM", HISTOGRAM],
  ["SUMMARY", SUMMARY],
  ["UNTYPED", UNTYPED],
  ["GAUGE_HISTOGRAM", HISTOGRAM],
  ["GAUGEHISTOGRAM", HISTOGRAM],
];
const TYPES_AS_WRITTEN = TYPES.map(([name, type]) => [bytesOf(name.toLowerCase()), type] as const);
const SUFFIX_COUNT = bytesOf("_count");
const SUFFIX_SUM = bytesOf("_sum");
const SUFFIX_BUCKET = bytesOf("_bucket");

/** Type that a `# TYPE` line's last word names; -1 when there is none of that name. */
export function typeOf(page: Uint8Array, start: number, end: number): number {
  for (const [name, type] of TYPES_AS_WRITTEN) {
    if (end - start === name.length && sameBytes(page, start, name, 0, name.length)) return type;
  }
  // The exposition parser of the stock picker drops backslashes here and folds case as Unicode does.
  const word = new TextDecoder().decode(page.subarray(start, end)).replaceAll("\\", "").toUpperCase();
  return TYPES.find(([name]) => name === word)?.[1] ?? -1;
}

/**
 * The metric families of one page, found by their names' bytes on the page: no strings, and no allocation once it has
 * grown to the page's size. A family is an index; 0 is the first.
 */
export class PageFamilies {
  /** Type of each family. */
  types = new Uint8Array(256);
  /** 1 when a help text was seen. */
  helped = new Uint8Array(256);
  /** Which of the wanted names it is; -1 when none. */
  wanted = new Int16Array(256);
  /** Meaning of the suffix of the name last resolved. */
  role = PLAIN_SAMPLE;

  #size = 0;
  #starts = new Int32Array(256);
  #lengths = new Int32Array(256);
  #hashes = new Int32Array(256);
  #table = new Int32Array(512);
  #page: Uint8Array = new Uint8Array(0);
  readonly #names: readonly Uint8Array[];
  readonly #nameHashes: readonly number[];

  /** @param names The wanted families' names. */
  constructor(names: readonly string[]) {
    this.#names = names.map(bytesOf);
    this.#nameHashes = this.#names.map((name) => hashOf(name, 0, name.length));
  }

  /** Forgets the families of the page before. */
  reset(page: Uint8Array): void {
    this.#page = page;
    this.#size = 0;
    this.#table.fill(0);
  }

  /**
   * Family that the name at [start, end) belongs to, made when new; sets `role`. -1 when the page has too many.
   * `x_sum`, `x_count` and `x_bucket` belong to x when that is a known summary or histogram.
   */
  resolve(start: number, end: number): number {
    this.role = PLAIN_SAMPLE;
    const length = end - start;
    const hash = hashOf(this.#page, start, length);
    const exact = this.#find(start, length, hash);
    if (exact >= 0) return exact;
    return this.#suffixed(start, length) ?? this.#add(start, length, hash);
  }

  #suffixed(start: number, length: number): number | undefined {
    const count = this.#endsWith(start, length, SUFFIX_COUNT);
    const sum = !count && this.#endsWith(start, length, SUFFIX_SUM);
    const bucket = !count && !sum && this.#endsWith(start, length, SUFFIX_BUCKET);
    if (!count && !sum && !bucket) return undefined;
    const base = length - (count ? SUFFIX_COUNT : sum ? SUFFIX_SUM : SUFFIX_BUCKET).length;
    const family = this.#find(start, base, hashOf(this.#page, start, base));
    if (family < 0) return undefined;
    const type = this.types[family];
    if (type !== HISTOGRAM && (type !== SUMMARY || bucket)) return undefined;
    this.role = count ? COUNT_SAMPLE : sum ? SUM_SAMPLE : PLAIN_SAMPLE;
    return family;
  }

  #endsWith(start: number, length: number, suffix: Uint8Array): boolean {
    const at = length - suffix.length;
    return at > 0 && sameBytes(this.#page, start + at, suffix, 0, suffix.length);
  }

  #find(start: number, length: number, hash: number): number {
    const mask = this.#table.length - 1;
    for (let place = hash & mask; this.#table[place] !== 0; place = (place + 1) & mask) {
      const family = this.#table[place] - 1;
      if (
        this.#hashes[family] === hash &&
        this.#lengths[family] === length &&
        sameBytes(this.#page, this.#starts[family], this.#page, start, length)
      )
        return family;
    }
    return -1;
  }

  #add(start: number, length: number, hash: number): number {
    if (this.#size === FAMILIES_MAX) return -1;
    if (this.#size === this.#starts.length) this.#grow();
    const family = this.#size++;
    this.#starts[family] = start;
    this.#lengths[family] = length;
    this.#hashes[family] = hash;
    this.types[family] = UNSET;
    this.helped[family] = 0;
    this.wanted[family] = this.#wantedName(start, length, hash);
    this.#place(family);
    return family;
  }

  #place(family: number): void {
    const mask = this.#table.length - 1;
    let place = this.#hashes[family] & mask;
    while (this.#table[place] !== 0) place = (place + 1) & mask;
    this.#table[place] = family + 1;
  }

  #wantedName(start: number, length: number, hash: number): number {
    for (let k = 0; k < this.#names.length; k++) {
      const name = this.#names[k];
      if (this.#nameHashes[k] === hash && name.length === length && sameBytes(this.#page, start, name, 0, length))
        return k;
    }
    return -1;
  }

  #grow(): void {
    const size = this.#starts.length * 2;
    this.types = grown(this.types, new Uint8Array(size));
    this.helped = grown(this.helped, new Uint8Array(size));
    this.wanted = grown(this.wanted, new Int16Array(size));
    this.#starts = grown(this.#starts, new Int32Array(size));
    this.#lengths = grown(this.#lengths, new Int32Array(size));
    this.#hashes = grown(this.#hashes, new Int32Array(size));
    this.#table = new Int32Array(size * 2);
    for (let family = 0; family < this.#size; family++) this.#place(family);
  }
}

/** Hash of some of the bytes: names on a page differ enough that all would cost more than a comparison saves. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  const step = (length >> 3) + 1;
  let hash = length;
  for (let i = start + length - 1; i >= start; i -= step) hash = (Math.imul(hash, 31) + bytes[i]) | 0;
  return hash ^ (hash >>> 9);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function grown<T extends Uint8Array | Int16Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
