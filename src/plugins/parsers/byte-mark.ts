/** Text of plain ASCII to be found in bytes. */
export class ByteMark {
  readonly #mark: Uint8Array;
  /** How far a byte under the mark's end allows the mark to move on; 0 for its last byte itself. */
  readonly #shifts: Uint8Array;

  /** @param text 1 to 255 characters */
  constructor(text: string) {
    this.#mark = new TextEncoder().encode(text);
    this.#shifts = new Uint8Array(256).fill(this.#mark.length);
    for (let i = 0; i < this.#mark.length; i++) this.#shifts[this.#mark[i]] = this.#mark.length - 1 - i;
  }

  /** True when the range holds the mark: steps over bytes that can't be its end (Horspool). */
  isIn(bytes: Uint8Array, start: number, end: number): boolean {
    const mark = this.#mark;
    const last = mark.length - 1;
    let p = start + last;
    while (p < end) {
      const shift = this.#shifts[bytes[p]];
      if (shift === 0) {
        let i = 0;
        while (i < last && bytes[p - last + i] === mark[i]) i++;
        if (i === last) return true;
      }
      p += Math.max(1, shift);
    }
    return false;
  }
}
