import { floatEnd, labelValueEnd, sameBytes } from "./page-bytes.ts";

/** Most labels of one series; a page with a series of more is refused. */
export const LABELS_MAX = 128;

/**
 * Labels that were read in full, from `{` to `}`, as a pattern for the lines after them. Most lines of a page have the
 * same labels as one before or differ in the value of one; such a line is checked by comparing the bytes around it.
 */
export class LabelTemplate {
  /** True when the labels last read or matched told a bound (of a bucket, a quantile) other than NaN. */
  bounded = false;
  /** Type of the family when one of the labels is a bound; -1 when none is. */
  boundType = -1;

  /** Index of `{`; -1 when there is no template. */
  #start = -1;
  /** Bytes up to and with `}`. */
  #length = 0;
  /** Start and end of each label's value in turn. */
  readonly #values = new Int32Array(LABELS_MAX * 2);
  #count = 0;
  /** Which of the values is the bound. */
  #bound = -1;

  clear(): void {
    this.#start = -1;
    this.#count = 0;
    this.#bound = -1;
    this.boundType = -1;
    this.bounded = false;
  }

  /** Notes a label's value. */
  add(start: number, end: number): void {
    if (this.#count === LABELS_MAX) return;
    this.#values[this.#count * 2] = start;
    this.#values[this.#count * 2 + 1] = end;
    this.#count++;
  }

  /** Notes a bound in a family of that type. False when it is not a number. */
  addBound(page: Uint8Array, start: number, end: number, type: number): boolean {
    if (floatEnd(page, start) !== end) return false;
    this.#bound = this.#count;
    this.boundType = type;
    this.bounded = !isNan(page, start);
    this.add(start, end);
    return true;
  }

  /** Makes the labels that were added, between the braces at `start` and before `end`, the template. */
  keep(start: number, end: number): void {
    this.#start = start;
    this.#length = end - start;
  }

  /**
   * Index after the labels at `i` when they differ from the template in one value at most; sets `bounded`. -1 when
   * they differ more or are malformed: then they must be read in full.
   */
  match(page: Uint8Array, i: number): number {
    const start = this.#start;
    if (start < 0) return -1;
    const length = this.#length;
    let k = 1;
    while (k < length && page[i + k] === page[start + k]) k++;
    if (this.#bound >= 0) this.bounded = !isNan(page, this.#values[this.#bound * 2]);
    return k === length ? i + length : this.#matchOther(page, i, start + k);
  }

  /** As `match`, when the template differs at `differs`. */
  #matchOther(page: Uint8Array, i: number, differs: number): number {
    const values = this.#values;
    let label = this.#count - 1;
    while (label >= 0 && values[label * 2] > differs) label--;
    if (label < 0 || differs > values[label * 2 + 1]) return -1;
    const value = values[label * 2] + i - this.#start;
    const end = labelValueEnd(page, value);
    const rest = values[label * 2 + 1];
    const restLength = this.#start + this.#length - rest;
    if (end < 0 || !sameBytes(page, end, page, rest, restLength)) return -1;
    if (label === this.#bound) {
      if (floatEnd(page, value) !== end) return -1;
      this.bounded = !isNan(page, value);
    }
    return end + restLength;
  }
}

/** True when the number that starts there is NaN, which has no sign. */
function isNan(page: Uint8Array, i: number): boolean {
  return (page[i] | 32) === 110;
}
