import { randomUUID } from "node:crypto";
import type { EngineHost } from "./engine-host.ts";
import { KvFetcher } from "./kv-fetcher.ts";
import { KvHolds } from "./kv-holds.ts";
import { KvStats } from "./kv-stats.ts";
import type { KvTransferOptions } from "./kv-transfer-options.ts";
import { remotePrefillParams } from "./kv-transfer-params.ts";
import type { PodRequest } from "./pod-request.ts";

/** One pod's end of KV transfers: the blocks that it holds for others, and what it fetches from them. */
export class KvTransfer {
  /** New with each start, so that blocks of an earlier life can't be taken for this one's. */
  readonly engineId = randomUUID();
  readonly stats = new KvStats();
  readonly holds: KvHolds;
  readonly fetcher: KvFetcher;
  /** Where peers find the pod; set once it is known. */
  port = 0;

  constructor(host: EngineHost, options: KvTransferOptions, blockSizeTokens: number) {
    this.holds = new KvHolds(host, options, this.stats);
    this.fetcher = new KvFetcher(host, options, blockSizeTokens, this.stats);
    host.kv = {
      fetch: (request, cachedTokens) => void this.fetcher.fetch(request, cachedTokens),
      finished: (request) => this.#finished(request, host.heldBlocks(request.id)),
      aborted: (request) => this.fetcher.aborted(request),
    };
  }

  /** Counts what is wrong with a request that was taken. */
  taken({ params }: PodRequest): void {
    if (params.kvTransfer.incomplete) this.stats.fetches.incomplete++;
  }

  async stop(): Promise<void> {
    this.holds.stop();
    await this.fetcher.stop();
  }

  #finished(request: PodRequest, blockIds: readonly number[]): void {
    if (!this.holds.add(request)) return;
    const { engineId, port } = this;
    const remote = { engineId, requestId: request.id, host: request.reachedAt, port, blockIds };
    request.heldParams = remotePrefillParams(remote, request.promptTokens);
  }
}
