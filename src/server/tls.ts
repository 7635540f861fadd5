import { watch, type FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { generate } from "selfsigned";

/** A certificate chain and its key, PEM. */
export interface KeyPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Where a server has its key pair from; it can change while the server runs. */
export interface TlsSource {
  current(): KeyPair;
  /** Calls back at each change. Returns a function that ends it. */
  onChange(listener: (pair: KeyPair) => void): () => void;
  /** Stops watching. */
  close(): void;
}

export interface DirectoryTlsOptions {
  /** True to read the pair again when the directory changes (--enable-cert-reload). */
  readonly reload: boolean;
  /** Told of each reading after the first: undefined when the new pair is in use, else why the old one stays. */
  readonly onReload?: (error: Error | undefined) => void;
}

const VALID_YEARS = 10;
const RELOAD_DEBOUNCE_MS = 250;
const CERT_FILE = "tls.crt";
const KEY_FILE = "tls.key";

/** A self-signed pair in memory (ECDSA P-256, for servers, 10 years, no names), as clients that verify nothing want. */
export async function selfSignedTls(): Promise<TlsSource> {
  const notAfterDate = new Date();
  notAfterDate.setFullYear(notAfterDate.getFullYear() + VALID_YEARS);
  const made = await generate([{ name: "organizationName", value: "Inference Ext" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notAfterDate,
    extensions: [
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
    ],
  });
  const pair = { cert: Buffer.from(made.cert), key: Buffer.from(made.private) };
  return { current: () => pair, onChange: () => () => undefined, close: () => undefined };
}

/** The pair `tls.crt` and `tls.key` of a directory (--cert-path). Throws when it can't be used. */
export async function directoryTls(directory: string, options: DirectoryTlsOptions): Promise<TlsSource> {
  const source = new DirectoryTls(directory, await readPair(directory), options.onReload);
  if (options.reload) source.watch();
  return source;
}

class DirectoryTls implements TlsSource {
  readonly #directory: string;
  readonly #onReload: ((error: Error | undefined) => void) | undefined;
  readonly #listeners = new Set<(pair: KeyPair) => void>();
  #pair: KeyPair;
  #watcher: FSWatcher | undefined;
  #debounce: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(directory: string, pair: KeyPair, onReload: ((error: Error | undefined) => void) | undefined) {
    this.#directory = directory;
    this.#pair = pair;
    this.#onReload = onReload;
  }

  current(): KeyPair {
    return this.#pair;
  }

  onChange(listener: (pair: KeyPair) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  watch(): void {
    this.#watcher = watch(this.#directory, () => {
      clearTimeout(this.#debounce);
      this.#debounce = setTimeout(() => void this.#reload(), RELOAD_DEBOUNCE_MS);
      this.#debounce.unref();
    });
    this.#watcher.on("error", (error) => this.#onReload?.(error));
    this.#watcher.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#debounce);
    this.#watcher?.close();
  }

  async #reload(): Promise<void> {
    let pair: KeyPair;
    try {
      pair = await readPair(this.#directory);
    } catch (error) {
      if (!this.#closed) this.#onReload?.(error as Error);
      return;
    }
    if (this.#closed) return;
    this.#pair = pair;
    for (const listener of this.#listeners) listener(pair);
    this.#onReload?.(undefined);
  }
}

async function readPair(directory: string): Promise<KeyPair> {
  try {
    const [cert, key] = await Promise.all([CERT_FILE, KEY_FILE].map((name) => readFile(join(directory, name))));
    // Throws when the two do not belong together, or one is none.
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot use ${CERT_FILE} and ${KEY_FILE} of ${directory}: ${cause}`, { cause: error });
  }
}
