import { z } from "zod";
import { dataKey, encoderCacheKey, tokenizedPromptKey } from "../../core/data-key.ts";
import type { PickResult, PluginContext, PluginInstance, PluginRequest, ReservedTarget } from "../../core/plugin.ts";
import { PrefixIndex } from "../../core/prefix-index.ts";
import { xxh64Text } from "../../core/xxh64.ts";
import { definePlugin } from "../define.ts";
import { int } from "../params.ts";
import { TOKEN_PRODUCER } from "./token-producer.ts";

export const MM_EMBEDDINGS_CACHE_PRODUCER = "mm-embeddings-cache-producer";

const CACHE_MIB = 4096;
/** What the embeddings of one medium are taken to need. */
const MIB_PER_ITEM = 2;
/** Most bytes of the index over all endpoints; the oldest entry of all goes beyond it. About 1.4 million entries. */
const INDEX_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Guesses which endpoint has which picture, sound or film encoded from where earlier requests went.
 *
 * A request's media are its different hashes, each of size 1. Each endpoint has an LRU of hashes of
 * max(1, cacheSizeInMBPerServer / 2) places, at most 64 MiB over all endpoints; at the pick the request's hashes go to
 * all endpoints that the primary profile picked. Looking up changes no order. A request without media, or that was not
 * tokenised, gets no data. Source: requestcontrol/dataproducer/multimodal.
 */
export const mmEmbeddingsCacheProducer = definePlugin(["producer", "extractor", "requestControl"], {
  payload: "endpoints",
  type: MM_EMBEDDINGS_CACHE_PRODUCER,
  example: `
plugins:
- type: mm-embeddings-cache-producer
  parameters: {cacheSizeInMBPerServer: 8192}
- type: mm-embeddings-cache-scorer
- type: queue-scorer
`,
  params: z.strictObject({
    cacheSizeInMBPerServer: int
      .default(CACHE_MIB)
      .transform((size) => (size > 0 ? size : CACHE_MIB))
      .describe("MiB of an endpoint's cache of embeddings; 0 and below mean the default."),
  }),
  data: (_params, name) => ({ requires: [tokenizedPromptKey(TOKEN_PRODUCER)], produces: [encoderCacheKey(name)] }),
  create: ({ cacheSizeInMBPerServer }, context) => new MmEmbeddingsCache(cacheSizeInMBPerServer, context),
});

class MmEmbeddingsCache implements PluginInstance {
  readonly #itemsMax: number;
  readonly #context: PluginContext;
  readonly #index: PrefixIndex;
  readonly #matchKey;
  readonly #hashesKey;
  /** Matched items by slot: scratch of one match. */
  #bySlot = new Int32Array(64);

  constructor(cacheMib: number, context: PluginContext) {
    this.#itemsMax = Math.max(1, Math.floor(cacheMib / MIB_PER_ITEM));
    this.#context = context;
    this.#index = new PrefixIndex({ bytesMax: Math.min(INDEX_BYTES_MAX, context.limits.prefixIndexBytesMax) });
    this.#matchKey = encoderCacheKey(context.name);
    this.#hashesKey = dataKey<Uint32Array | undefined>("MmEmbeddingsHashes", context.name);
  }

  produce(request: PluginRequest) {
    const hashes = hashesOf(request);
    if (hashes.length === 0) return undefined;
    const { slotCount } = this.#context.endpoints;
    if (this.#bySlot.length < slotCount) this.#bySlot = new Int32Array(slotCount * 2);
    this.#bySlot.fill(0, 0, slotCount);
    // One at a time: a walk over several would end at the first that nobody holds.
    for (let i = 0; i < hashes.length / 2; i++) this.#index.match(hashes, i, 1, this.#bySlot);
    const matchedSize = request.table.slots.map((slot) => this.#bySlot[slot]);
    request.put(this.#matchKey, { matchedSize, totalSize: hashes.length / 2 });
    request.put(this.#hashesKey, hashes);
    return undefined;
  }

  preRequest(request: PluginRequest, { primary, picks }: PickResult): void {
    for (const { profile, slot } of picks) if (profile === primary) this.#add(request, slot);
  }

  moved(request: PluginRequest, _from: ReservedTarget, to: ReservedTarget): void {
    this.#add(request, to.slot);
  }

  responseStarted(request: PluginRequest): void {
    request.put(this.#hashesKey, undefined);
  }

  endpointRemoved(slot: number): void {
    this.#index.removeSlot(slot);
  }

  gauges() {
    return { encoder_cache_items: this.#index.size, encoder_cache_limit_evictions: this.#index.limitEvictions };
  }

  #add(request: PluginRequest, slot: number): void {
    const hashes = request.get(this.#hashesKey);
    if (!hashes) return;
    // One at a time: of a longer add even those that it evicted would stay.
    for (let i = 0; i < hashes.length / 2; i++) this.#index.add(slot, hashes, i, 1, this.#itemsMax);
  }
}

/** XXH64 of the request's different media hashes as pairs lo, hi, in the order of their first place. */
function hashesOf({ facts }: PluginRequest): Uint32Array {
  const texts = new Set((facts.media ?? []).map(({ hash }) => hash).filter((hash) => hash !== ""));
  const hashes = new Uint32Array(2 * texts.size);
  let at = 0;
  for (const text of texts) {
    hashes.set(xxh64Text(text), at);
    at += 2;
  }
  return hashes;
}
