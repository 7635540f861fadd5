/**
 * Names data that one plugin gives to another within a request: the kind of data and the instance name of its producer,
 * as upstream does (`spec/plugins.md` 1.3).
 */
export interface DataKey<T> {
  /** `<kind>/<producer instance name>` */
  readonly id: string;
  readonly kind: string;
  readonly producer: string;
  /** Never set; carries the type of the data. */
  readonly value?: T;
}

/** Data keys are compared by id, so two calls with equal names name the same data. */
export const dataKey = <T>(kind: string, producer: string): DataKey<T> => ({
  id: `${kind}/${producer}`,
  kind,
  producer,
});

/** The producer of prefix matches that is asked where a config names none. */
export const DEFAULT_PREFIX_PRODUCER = "approx-prefix-cache-producer";

/** How much of a request's prompt each candidate is thought to hold. */
export interface PrefixMatch {
  /** Matched blocks by row of the candidate table, summed over the request's prompts. */
  readonly matchBlocks: Int32Array;
  /** Of these, blocks in CPU memory; absent where the producer knows no tiers. */
  readonly cpuBlocks?: Int32Array;
  /** Blocks of the request, over all prompts. */
  readonly totalBlocks: number;
  readonly blockSizeTokens: number;
}
export const prefixMatchKey = (producer: string): DataKey<PrefixMatch> => dataKey("PrefixCacheMatchInfo", producer);

/** Tokens that a candidate would have to compute for this request, by row. */
export interface UncachedTokens {
  readonly tokens: Float64Array;
}
export const uncachedTokensKey = (producer: string): DataKey<UncachedTokens> =>
  dataKey("UncachedRequestTokens", producer);

/** Load that this picker has put on endpoints and that is not done yet, by slot (not by row: it is live). */
export interface InflightLoad {
  requests(slot: number): number;
  tokens(slot: number): number;
}
export const inflightLoadKey = (producer: string): DataKey<InflightLoad> => dataKey("InFlightLoad", producer);

/** The prompt's tokens: counts here, block ids in `RequestFacts.blocks`. */
export interface TokenizedPrompt {
  readonly tokens: number;
}
export const tokenizedPromptKey = (producer: string): DataKey<TokenizedPrompt> => dataKey("TokenizedPrompt", producer);

/** Where an endpoint stands; "" where its labels do not tell. */
export interface EndpointTopology {
  readonly host: string;
  readonly rack: string;
  readonly zone: string;
  readonly region: string;
}
/** An attribute of endpoints: `Endpoints.attribute` has its values by slot. */
export const topologyKey = (extractor: string): DataKey<EndpointTopology> => dataKey("Topology", extractor);

/** Latencies that a predictor foretells of this request, by row; a row counts only where `isPredicted` is 1. */
export interface LatencyPrediction {
  readonly isPredicted: Uint8Array;
  /** Time to the first token. */
  readonly ttftMs: Float64Array;
  /** Time for each further token. */
  readonly tpotMs: Float64Array;
  /** What the request's objective leaves over the prediction; below 0 where it is missed. */
  readonly ttftHeadroomMs: Float64Array;
  readonly tpotHeadroomMs: Float64Array;
  /** 1 where the prediction meets the objective. */
  readonly isTtftValid: Uint8Array;
  readonly isTpotValid: Uint8Array;
  /** Requests that the predictor has seen go to the endpoint and not end yet. */
  readonly dispatchedRequests: Float64Array;
}
export const latencyPredictionKey = (producer: string): DataKey<LatencyPrediction> =>
  dataKey("LatencyPredictionInfo", producer);

/**
 * The pod that the other stage of a disaggregated request went to, while the second stage is picked: the decode pod
 * when prefill is picked after it, the prefill pod when decode is. Look whether it is still there (`Endpoints.holds`).
 */
export interface PeerEndpoint {
  readonly slot: number;
  readonly generation: number;
}
export const PEER_ENDPOINT: DataKey<PeerEndpoint> = dataKey("peer-endpoint", "disagg-profile-handler");

/** How much of a request's media each candidate is thought to have encoded; an item has size 1. */
export interface EncoderCacheMatch {
  /** Matched size by row of the candidate table. */
  readonly matchedSize: Int32Array;
  /** Size of all different media of the request. */
  readonly totalSize: number;
}
export const encoderCacheKey = (producer: string): DataKey<EncoderCacheMatch> =>
  dataKey("MultiModalEncoderCacheMatchInfo", producer);
