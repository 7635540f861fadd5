import type { WriteStream } from "node:fs";
import { createWriteStream } from "node:fs";
import { once } from "node:events";
import type { CoreLimits } from "../core/core-limits.ts";
import type { CoreEvent } from "../core/events.ts";
import type { LogEnd } from "../core/event-log.ts";
import { endLine, eventLine, headerLine } from "../core/event-log.ts";

export interface EventRecorderOptions {
  readonly path: string;
  readonly seed: number;
  readonly limits: CoreLimits;
  /** Most bytes of the log; recording stops there, and `problem` is told once. */
  readonly recordBytesMax: number;
  /** Most bytes that may wait for the disk; recording stops beyond. */
  readonly bufferBytesMax?: number;
  problem(message: string): void;
}

const BUFFER_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Writes a run's events to a file that `warmpath replay` reads. A log that hit a limit has no end line, so a replay
 * says that it was cut off; the picker itself goes on.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #stream: WriteStream;
  #bytes = 0;
  #stopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#stream = createWriteStream(options.path);
    this.#stream.on("error", (error) => this.#stop(error.message));
    this.#write(headerLine(options.seed, options.limits));
  }

  record(event: CoreEvent, number: number): void {
    if (!this.#stopped) this.#write(eventLine(event, number));
  }

  /** Writes the end line and closes the file. */
  async end(end: LogEnd): Promise<void> {
    if (this.#stopped) return;
    this.#write(endLine(end));
    this.#stopped = true;
    this.#stream.end();
    await once(this.#stream, "close");
  }

  #write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    const { recordBytesMax, bufferBytesMax = BUFFER_BYTES_MAX } = this.#options;
    if (this.#bytes + bytes > recordBytesMax)
      return this.#stop(`it would be larger than recordBytesMax ${recordBytesMax}`);
    if (this.#stream.writableLength > bufferBytesMax) {
      return this.#stop(`the disk is ${bufferBytesMax} bytes behind (bufferBytesMax)`);
    }
    this.#bytes += bytes;
    this.#stream.write(`${line}\n`);
  }

  #stop(cause: string): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stream.end();
    this.#options.problem(`Cannot go on recording events to ${this.#options.path}: ${cause}`);
  }
}
