const HEADER_BYTES = 9;

/** Follows HTTP/2 frames through chunks of bytes: tells each frame's type, and whether a chunk ended between frames. */
export class FrameWalker {
  readonly #onFrame: ((type: number) => void) | undefined;
  /** Bytes to be passed over before the next frame's header. */
  #skip: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;

  /** @param prefaceBytes what stands before the first frame */
  constructor(prefaceBytes: number, onFrame?: (type: number) => void) {
    this.#skip = prefaceBytes;
    this.#onFrame = onFrame;
  }

  get isBetweenFrames(): boolean {
    return this.#skip === 0 && this.#headerBytes === 0;
  }

  see(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++];
      if (this.#headerBytes < HEADER_BYTES) continue;
      this.#headerBytes = 0;
      const [high, middle, low, type] = this.#header;
      this.#skip = (high << 16) | (middle << 8) | low;
      this.#onFrame?.(type);
    }
  }
}
