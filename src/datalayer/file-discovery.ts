import { type FSWatcher, type Stats, watch } from "node:fs";
import { open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { EndpointDescription } from "../core/events.ts";
import {
  ENDPOINTS_FILE_BYTES_MAX,
  type EndpointsFile,
  readEndpointsFile,
} from "../plugins/data-layer/endpoints-file.ts";

/** Takes what a discovery finds. */
export interface DiscoverySink {
  /** An endpoint is new or has changed. */
  upsert(endpoint: EndpointDescription): void;
  /** The endpoint of that id is gone. */
  remove(id: string): void;
  /** Something is wrong that does not end the discovery. */
  problem(message: string): void;
}

export interface FileDiscoveryOptions {
  /** The endpoints file. */
  readonly path: string;
  /** Whether it is read again when it changes. */
  readonly watchFile: boolean;
  /** Whether its endpoints are clusters (`readEndpointsFile`). Default false. */
  readonly areClusters?: boolean;
  /** How often a watched file is looked at, besides when the system tells of a change. */
  readonly pollIntervalMs?: number;
  /** A changed file is read when it stayed the same for this long ... */
  readonly settleMs?: number;
  /** ... or when it was changing for this long. */
  readonly settleMsMax?: number;
}

/** A discovery at work. */
export interface FileDiscovery {
  /**
   * Reads the file and hands over its endpoints, then watches it if that is wanted. Rejects when the file is missing or
   * anything in it is wrong; nothing was handed over then.
   */
  start(): Promise<void>;
  /** Ends watching. */
  stop(): void;
}

/**
 * Takes endpoints from a file (`plugins/data-layer/endpoints-file.ts`). While serving it only hands over differences,
 * whichever way the file is replaced: written in place, renamed over, or behind a symbolic link as a mounted ConfigMap.
 * A file that is missing, unreadable or without any content then is a problem, and the endpoints stay; wrong entries are
 * a problem too, the others apply. `endpoints: []` removes all.
 */
export function createFileDiscovery(options: FileDiscoveryOptions, sink: DiscoverySink): FileDiscovery {
  return new WatchedFile(options, sink);
}

class WatchedFile implements FileDiscovery {
  readonly #path: string;
  readonly #watchFile: boolean;
  readonly #areClusters: boolean;
  readonly #pollIntervalMs: number;
  readonly #settleMs: number;
  readonly #settleMsMax: number;
  readonly #sink: DiscoverySink;
  readonly #known = new Map<string, EndpointDescription>();
  readonly #stopped = new AbortController();
  /** What the file looked like when it was last read. */
  #signature = "";
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #checking = false;
  #checkAgain = false;

  constructor(options: FileDiscoveryOptions, sink: DiscoverySink) {
    this.#path = options.path;
    this.#watchFile = options.watchFile;
    this.#areClusters = options.areClusters ?? false;
    this.#pollIntervalMs = options.pollIntervalMs ?? 1000;
    this.#settleMs = options.settleMs ?? 50;
    this.#settleMsMax = options.settleMsMax ?? 1000;
    this.#sink = sink;
  }

  async start(): Promise<void> {
    this.#signature = await signatureOf(this.#path);
    const file = await readFile(this.#path, this.#areClusters);
    if (file.errors.length > 0) throw new Error(file.errors.join("\n"));
    this.#apply(file);
    if (!this.#watchFile || this.#stopped.signal.aborted) return;
    this.#watch();
    this.#poll = setInterval(() => {
      this.#watch();
      this.#look();
    }, this.#pollIntervalMs);
  }

  stop(): void {
    this.#stopped.abort();
    clearInterval(this.#poll);
    this.#watcher?.close();
  }

  /** Asks the system to tell of changes in the file's folder: the file itself may be replaced. */
  #watch(): void {
    if (this.#watcher) return;
    const name = basename(this.#path);
    try {
      const watcher = watch(dirname(this.#path), (_, changed) => {
        // A mounted ConfigMap changes by its link ..data.
        if (changed === null || changed === name || changed.startsWith("..")) this.#look();
      });
      watcher.on("error", () => {
        watcher.close();
        this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The folder is gone or the system has no watch left: looking now and then does as well.
      this.#watcher = undefined;
    }
  }

  #look(): void {
    if (this.#checking) this.#checkAgain = true;
    else void this.#check();
  }

  async #check(): Promise<void> {
    this.#checking = true;
    do {
      this.#checkAgain = false;
      await this.#checkOnce();
    } while (this.#checkAgain && !this.#stopped.signal.aborted);
    this.#checking = false;
  }

  async #checkOnce(): Promise<void> {
    const { signal } = this.#stopped;
    let seen = await signatureOf(this.#path);
    if (seen === this.#signature) return;
    for (let waitedMs = 0; waitedMs < this.#settleMsMax; waitedMs += this.#settleMs) {
      await delay(this.#settleMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const now = await signatureOf(this.#path);
      if (now === seen) break;
      seen = now;
    }
    this.#signature = seen;
    const file = await readFile(this.#path, this.#areClusters).catch((error: Error) => ({
      fatal: true as const,
      errors: [error.message],
    }));
    if (signal.aborted) return;
    const kept = `; the ${this.#known.size} endpoints known stay`;
    if (file.fatal) this.#sink.problem(`${file.errors.join("\n")}${kept}`);
    else if (file.blank && this.#known.size > 0)
      this.#sink.problem(`Cannot use ${this.#path}: it is empty${kept} (to remove all, write: endpoints: [])`);
    else {
      this.#apply(file);
      if (file.errors.length > 0) this.#sink.problem(file.errors.join("\n"));
    }
  }

  #apply({ endpoints }: EndpointsFile): void {
    const ids = new Set(endpoints.map((endpoint) => endpoint.id));
    for (const id of this.#known.keys()) {
      if (ids.has(id)) continue;
      this.#known.delete(id);
      this.#sink.remove(id);
    }
    for (const endpoint of endpoints) {
      const known = this.#known.get(endpoint.id);
      if (known && isSame(known, endpoint)) continue;
      this.#known.set(endpoint.id, endpoint);
      this.#sink.upsert(endpoint);
    }
  }
}

/** What tells a file from the one that stood there before; its error's code when there is none. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return codeOf(error);
  }
}

/** Rejects with what to tell the user. */
async function readFile(path: string, areClusters: boolean): Promise<EndpointsFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(path);
  } catch (error) {
    throw new Error(`Cannot read the endpoints file ${path}: ${codeOf(error)}`, { cause: error });
  }
  try {
    return readEndpointsFile(new TextDecoder("utf-8", { fatal: true }).decode(bytes), path, areClusters);
  } catch (error) {
    throw new Error(`Cannot read the endpoints file ${path}: it is not UTF-8`, { cause: error });
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const stats: Stats = await file.stat();
    if (!stats.isFile()) throw new Error("it is not a file");
    const bytes = new Uint8Array(ENDPOINTS_FILE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (bytesRead === 0 || length === bytes.length) return bytes.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? "no such file" : (code ?? message);
}

function isSame(a: EndpointDescription, b: EndpointDescription): boolean {
  const labels = Object.keys(a.labels);
  return (
    a.address === b.address &&
    a.port === b.port &&
    labels.length === Object.keys(b.labels).length &&
    labels.every((key) => a.labels[key] === b.labels[key])
  );
}
