import { Core } from "./core.ts";
import type { LogEnd } from "./event-log.ts";
import { readHeader, readLine } from "./event-log.ts";
import type { Notice } from "./notices.ts";
import type { CompilePlan } from "./plan.ts";

/** What a replay came to, beside what the log says that the run came to (absent when the run was cut off). */
export interface Replayed extends LogEnd {
  readonly recorded?: LogEnd;
  /** True when the log has its end and both agree. */
  readonly same: boolean;
}

export interface ReplayOptions {
  readonly compile: CompilePlan;
  /** Sees all notices, in order. */
  readonly emit?: (notice: Notice) => void;
}

/**
 * Plays an event log through a fresh core. It needs no network and no clock: asks were answered by events. Lines are
 * given one by one; call `end` after the last. Throws on a broken or missing line.
 */
export class Replay {
  readonly #options: ReplayOptions;
  #core: Core | undefined;
  #line = 0;
  #events = 0;
  #recorded: LogEnd | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  /** The next line of the log. */
  push(line: string): void {
    this.#line++;
    if (!this.#core) {
      const { compile, emit = () => undefined } = this.#options;
      const { seed, limits } = readHeader(line);
      this.#core = new Core({ env: { seed, emit }, compile, limits });
      return;
    }
    if (this.#recorded) throw new Error(`Cannot replay: line ${this.#line} follows the log's end`);
    const read = readLine(line, this.#line);
    if (read.kind === "end") {
      this.#recorded = read.end;
      return;
    }
    if (read.number !== this.#events) {
      throw new Error(
        `Cannot replay: line ${this.#line} has event ${read.number}, expected ${this.#events}: a line is missing`,
      );
    }
    this.#events++;
    this.#core.step(read.event);
  }

  end(): Replayed {
    if (!this.#core) throw new Error("Cannot replay: the log is empty");
    const mine = { events: this.#events, decisions: this.#core.decisionCount, hash: this.#core.decisionHash };
    const recorded = this.#recorded;
    if (!recorded) return { ...mine, same: false };
    const same =
      recorded.hash === mine.hash && recorded.decisions === mine.decisions && recorded.events === mine.events;
    return { ...mine, recorded, same };
  }
}
