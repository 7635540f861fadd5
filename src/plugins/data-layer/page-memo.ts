/** Pages longer than this are read in full each time. */
const MEMO_BYTES_MAX = 1 << 20;

/**
 * A page that was well formed, line by line. Most pages differ from one before, of the same pod or another of its kind,
 * in their numbers alone: then comparing the bytes around them is enough.
 */
export class PageMemo {
  /** Lines kept. */
  count = 0;
  /** Where each line starts, and at `count` where the last ends. */
  starts = new Int32Array(1024);
  /** Where each line's number starts; -1 for lines without. */
  numbers = new Int32Array(1024);
  /** Type of each sample's family. */
  types = new Uint8Array(1024);
  /** 1 for a histogram's count, which is not below 0. */
  counts = new Uint8Array(1024);
  /** Index of the wanted family; -1 when none. */
  wanted = new Int16Array(1024);
  /** Index of `{`; -1 when there are no labels. */
  labels = new Int32Array(1024);

  #usable = false;
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);

  /** Begins anew, with a page of that many bytes. */
  begin(length: number): void {
    this.count = 0;
    this.#usable = length <= MEMO_BYTES_MAX;
  }

  /** Notes that the page is not to be kept: it has a line that is not told by its bytes alone. */
  refuse(): void {
    this.#usable = false;
  }

  /** Adds a line without a number. */
  addLine(start: number): void {
    if (!this.#usable) return;
    if (this.count + 1 === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.numbers[this.count++] = -1;
  }

  /** Makes the line last added one of a sample whose number starts at `number`. */
  addNumber(number: number, type: number, counts: boolean, wanted: number, labels: number): void {
    if (!this.#usable) return;
    const line = this.count - 1;
    this.numbers[line] = number;
    this.types[line] = type;
    this.counts[line] = counts ? 1 : 0;
    this.wanted[line] = wanted;
    this.labels[line] = labels;
  }

  /** Ends with the page's bytes up to `end`, after its last newline. False when the page is not to be kept. */
  keep(page: Uint8Array, end: number): boolean {
    if (!this.#usable) return false;
    this.starts[this.count] = end;
    if (this.#bytes.length < end) {
      this.#bytes = new Uint8Array(end + (end >> 2));
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#bytes.set(page.subarray(0, end));
    return true;
  }

  /** True when `length` bytes of the page at `i`, seen through a view, are those kept at `at`. */
  matches(page: DataView, i: number, at: number, length: number): boolean {
    const kept = this.#view;
    let k = 0;
    for (; k + 4 <= length; k += 4) if (page.getInt32(i + k) !== kept.getInt32(at + k)) return false;
    for (; k < length; k++) if (page.getUint8(i + k) !== kept.getUint8(at + k)) return false;
    return true;
  }

  #grow(): void {
    const size = this.starts.length * 2;
    this.starts = grown(this.starts, new Int32Array(size));
    this.numbers = grown(this.numbers, new Int32Array(size));
    this.types = grown(this.types, new Uint8Array(size));
    this.counts = grown(this.counts, new Uint8Array(size));
    this.wanted = grown(this.wanted, new Int16Array(size));
    this.labels = grown(this.labels, new Int32Array(size));
  }
}

function grown<T extends Uint8Array | Int16Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
