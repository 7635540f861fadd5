import { z } from "zod";
import type { PrefixMatch } from "../../core/data-key.ts";
import { DEFAULT_PREFIX_PRODUCER, dataKey, prefixMatchKey } from "../../core/data-key.ts";
import type { PickResult, PluginContext, PluginInstance, PluginRequest } from "../../core/plugin.ts";
import { definePlugin } from "../define.ts";
import { int, producerName, textOr } from "../params.ts";

const KV_CACHE_SOURCE_HEADER = "x-kv-cache-source-host-port";

const params = z.strictObject({
  prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe("Who tells of cached prefixes."),
  minCachedTokenDelta: int.min(1).default(1).describe("More cached tokens from which a peer is worth asking."),
  prefillProfileName: textOr("prefill").describe("Profile whose pick computes the prompt."),
});

type Params = z.infer<typeof params>;

/** Where KV blocks could be pulled from. */
interface Source {
  readonly slot: number;
  readonly generation: number;
  readonly cachedTokens: number;
}

/**
 * Names the pod from whose cache the computing pod can pull the prompt's KV blocks: header
 * `x-kv-cache-source-host-port` for the routing side-car.
 *
 * cached tokens = matched blocks * block size; of a source those in CPU memory, where the data tell tiers. Sources are
 * the candidates with any whose count is at most one block below the greatest; one is drawn with weights
 * 1 / (1 + waiting requests), in the order of their ids, at FNV-1a-32(x-request-id) / 2^32. The header is set when that
 * source is not the computing pod (the pick of the prefill profile, else of the primary one) and has at least
 * minCachedTokenDelta more cached tokens than it; a client's own header never passes. Without data, or when the source
 * has gone: no header. A queue that is no number or below 0 counts as empty. Source:
 * requestcontrol/dataproducer/p2psource.
 */
export const p2pSourceProducer = definePlugin(["producer", "requestControl"], {
  type: "p2p-source-producer",
  stability: "alpha",
  example: `
plugins:
- type: p2p-source-producer
  parameters: {minCachedTokenDelta: 256}
- type: prefix-cache-scorer
- type: queue-scorer
`,
  params,
  data: ({ prefixMatchInfoProducerName }) => ({ requires: [prefixMatchKey(prefixMatchInfoProducerName)] }),
  create: (parsed, context) => new P2pSource(parsed, context),
});

class P2pSource implements PluginInstance {
  readonly #params: Params;
  readonly #context: PluginContext;
  readonly #matchKey;
  readonly #sourceKey;

  constructor(parsed: Params, context: PluginContext) {
    this.#params = parsed;
    this.#context = context;
    this.#matchKey = prefixMatchKey(parsed.prefixMatchInfoProducerName);
    this.#sourceKey = dataKey<Source>("P2pSource", context.name);
  }

  produce(request: PluginRequest) {
    const match = request.get(this.#matchKey);
    const source = match && this.#draw(request, match);
    if (source) request.put(this.#sourceKey, source);
    return undefined;
  }

  preRequest(request: PluginRequest, { targets }: PickResult): void {
    request.removeHeader(KV_CACHE_SOURCE_HEADER);
    const { endpoints } = this.#context;
    const { prefillProfileName, minCachedTokenDelta } = this.#params;
    const source = request.get(this.#sourceKey);
    const computing = targets.find(({ profile }) => profile === prefillProfileName) ?? targets[0];
    if (!source || !endpoints.holds(source.slot, source.generation)) return;
    if (endpoints.target[source.slot] === endpoints.target[computing.slot]) return;
    const { matchBlocks, blockSizeTokens } = request.get(this.#matchKey)!;
    if (source.cachedTokens - matchBlocks[computing.row] * blockSizeTokens < minCachedTokenDelta) return;
    request.setHeader(KV_CACHE_SOURCE_HEADER, endpoints.target[source.slot]);
  }

  #draw({ facts, table }: PluginRequest, match: PrefixMatch): Source | undefined {
    const { endpoints } = this.#context;
    const blocks = match.cpuBlocks ?? match.matchBlocks;
    const most = blocks.reduce((max, count) => Math.max(max, count), 0);
    const rows = [...table.slots.keys()].filter((row) => blocks[row] > 0 && blocks[row] >= most - 1);
    const idOf = (row: number) => endpoints.description[table.slots[row]].id;
    rows.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
    const weights = rows.map((row) => 1 / (1 + Math.max(0, endpoints.waiting[table.slots[row]] || 0)));
    const at = placeOf(spreadOf(facts.requestId), weights);
    if (at === undefined) return undefined;
    const row = rows[at];
    const cachedTokens = blocks[row] * match.blockSizeTokens;
    return { slot: table.slots[row], generation: table.generations[row], cachedTokens };
  }
}

/** Place of a share 0..1 among weights laid end to end; undefined when there are none. */
function placeOf(share: number, weights: readonly number[]): number | undefined {
  let left = share * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [at, weight] of weights.entries()) {
    if (left < weight) return at;
    left -= weight;
  }
  return weights.length > 0 ? weights.length - 1 : undefined;
}

const encoder = new TextEncoder();

/** FNV-1a of 32 bits over a text's UTF-8, as a share of 2^32. */
function spreadOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) / 0x1_0000_0000;
}
