import { setTimeout as delay } from "node:timers/promises";
import { KvLink } from "../engine/kv-link.ts";
import type { EngineHost } from "./engine-host.ts";
import { KvPeer, type HeldContent } from "./kv-peer.ts";
import type { KvStats } from "./kv-stats.ts";
import type { KvTransferOptions } from "./kv-transfer-options.ts";
import type { RemotePrefill } from "./kv-transfer-params.ts";
import type { PodRequest } from "./pod-request.ts";

const MICROS = 1_000_000;

/**
 * Fetches prompts' KV from the pods that computed them: asks the peer for the blocks, checks that they hold this
 * prompt, lets the time pass that the bytes take, and tells the peer that it may free them. Whatever fails, the engine
 * computes the prompt, or the request fails, as `loadFailure` says.
 */
export class KvFetcher {
  readonly #host: EngineHost;
  readonly #options: KvTransferOptions;
  readonly #blockSizeTokens: number;
  readonly #stats: KvStats;
  readonly #link: KvLink;
  readonly #peer: KvPeer;
  readonly #open = new Map<PodRequest, AbortController>();
  /** Those whose peers know, or will, that they need not hold on. */
  readonly #settled = new WeakSet<PodRequest>();

  constructor(host: EngineHost, options: KvTransferOptions, blockSizeTokens: number, stats: KvStats) {
    this.#host = host;
    this.#options = options;
    this.#blockSizeTokens = blockSizeTokens;
    this.#stats = stats;
    this.#link = new KvLink(options);
    this.#peer = new KvPeer(options.peerMsMax);
  }

  /** Starts fetching a prompt's tokens after the first `cachedTokens`; the host is told when it is over. */
  async fetch(request: PodRequest, cachedTokens: number): Promise<void> {
    const remote = request.params.kvTransfer.from!;
    this.#settled.add(request);
    if (this.#open.size >= this.#options.transfersMax) {
      this.#stats.fetches.refused++;
      await this.#release(remote);
      this.#host.kvFetched(request, 0);
      return;
    }
    const abort = new AbortController();
    this.#open.set(request, abort);
    const failure = await this.#transfer(request, remote, cachedTokens, abort.signal).catch((error: unknown) => error);
    this.#open.delete(request);
    if (abort.signal.aborted) {
      this.#stats.fetches.aborted++;
      return this.#release(remote);
    }
    if (failure !== undefined) {
      this.#stats.fetches.failed++;
      if (this.#options.loadFailure === "fail") this.#host.fail(request, "The KV of the prompt could not be loaded.");
      else this.#host.kvFetched(request, 0);
      return;
    }
    this.#stats.fetches.fetched++;
    this.#stats.fetchedTokens += this.#host.kvFetched(request, request.promptTokens - cachedTokens);
  }

  /** The client went away. A peer that holds blocks for the request is told, whether they were asked for yet or not. */
  aborted(request: PodRequest): void {
    const abort = this.#open.get(request);
    if (abort) abort.abort();
    else this.refused(request);
  }

  /** The request will never be scheduled: its peer need not hold blocks for it. */
  refused(request: PodRequest): void {
    const { from } = request.params.kvTransfer;
    if (!from || this.#settled.has(request)) return;
    this.#settled.add(request);
    this.#stats.fetches.aborted++;
    void this.#release(from);
  }

  async stop(): Promise<void> {
    for (const abort of this.#open.values()) abort.abort();
    await this.#peer.close();
  }

  async #transfer(
    request: PodRequest,
    remote: RemotePrefill,
    cachedTokens: number,
    signal: AbortSignal,
  ): Promise<undefined> {
    const { clock } = this.#host;
    const startUs = clock.nowUs();
    this.#stats.queriedTokens += request.promptTokens - cachedTokens;
    const problem = contentProblem(request, await this.#peer.read(remote, signal), this.#blockSizeTokens);
    if (problem) {
      await this.#release(remote);
      throw new Error(problem);
    }
    const blocks = Math.ceil(request.promptTokens / this.#blockSizeTokens) - cachedTokens / this.#blockSizeTokens;
    const bytes = blocks * this.#blockSizeTokens * this.#options.bytesPerToken;
    const endUs = this.#link.take(clock.nowUs(), bytes);
    // Scale 0: nothing takes time.
    if (clock.timeScale > 0) await delay(Math.ceil(clock.realMs(endUs - clock.nowUs())), undefined, { signal });
    this.#stats.transferSeconds.observe((Math.max(endUs, clock.nowUs()) - startUs) / MICROS);
    this.#stats.transferBytes.observe(bytes);
    // The request need not wait for that.
    void this.#release(remote);
    return undefined;
  }

  /** Tells a peer that it need not hold the blocks any more. One that can't be told lets them expire. */
  #release(remote: RemotePrefill): Promise<void> {
    return this.#peer.release(remote).catch(() => {
      this.#stats.failedNotifications++;
    });
  }
}

/** Why blocks are not the ones of this prompt. A real engine takes what it gets; here a wiring error must show. */
function contentProblem(request: PodRequest, held: HeldContent, blockSizeTokens: number): string | undefined {
  if (held.blockSizeTokens !== blockSizeTokens) return `the peer has blocks of ${held.blockSizeTokens} tokens`;
  if (held.tokens !== request.promptTokens) return `the peer holds ${held.tokens} tokens`;
  return held.prefixHash === prefixHash(request, blockSizeTokens) ? undefined : "the peer holds another prompt";
}

/** Chained hash of the last full block of a prompt. */
export function prefixHash({ hashLo, hashHi, promptTokens }: PodRequest, blockSizeTokens: number): string {
  const full = Math.floor(promptTokens / blockSizeTokens);
  return full === 0 ? "" : `${hashHi[full - 1].toString(16)}.${hashLo[full - 1].toString(16)}`;
}
