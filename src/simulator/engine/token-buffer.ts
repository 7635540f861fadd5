/** Token ids in a buffer that grows; at most as many as the text has characters, and those that stand for media. */
export class TokenBuffer {
  ids = new Uint32Array(1024);
  length = 0;
  /** End of the last tokens that stand for media, 0 without any. */
  mediaEnd = 0;

  push(id: number): void {
    if (this.length === this.ids.length) {
      const larger = new Uint32Array(this.ids.length * 2);
      larger.set(this.ids);
      this.ids = larger;
    }
    this.ids[this.length++] = id;
  }

  /** The ids so far; a view, good until the next push. */
  view(): Uint32Array {
    return this.ids.subarray(0, this.length);
  }
}
