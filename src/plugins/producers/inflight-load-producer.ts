import { z } from "zod";
import {
  DEFAULT_PREFIX_PRODUCER,
  dataKey,
  inflightLoadKey,
  prefixMatchKey,
  tokenizedPromptKey,
  uncachedTokensKey,
} from "../../core/data-key.ts";
import type { PluginContext, PluginInstance, PluginRequest, ReservedTarget } from "../../core/plugin.ts";
import { defineProducer } from "../define.ts";
import { int, producerName } from "../params.ts";
import { INFLIGHT_LOAD_PRODUCER, InflightColumns } from "./inflight-columns.ts";
import type { Flow } from "./inflight-flows.ts";
import { InflightFlows } from "./inflight-flows.ts";
import { TOKEN_PRODUCER } from "./token-producer.ts";

const PREFILL_PROFILE = "prefill";
/** Most output tokens of an estimate; no answer has so many, and sums of loads stay whole numbers. */
const OUTPUT_TOKENS_MAX = 1_000_000_000;

const params = z.strictObject({
  addEstimatedOutputTokens: z.boolean().default(false).describe("Counts the tokens that the answer may have, too."),
  outputRatio: z.number().min(0).default(1.5).describe("Estimated output tokens for each input token."),
  maxEstimatedOutputTokens: int.min(0).optional().describe("Most output tokens to estimate for a request."),
  prefixMatchInfoProducerName: producerName(DEFAULT_PREFIX_PRODUCER).describe(
    "Name of the producer whose cached prefix is taken off the input tokens.",
  ),
  syncCrossReplicaState: z.boolean().default(true).describe("Shares the load with other replicas, where they sync."),
});

type Params = z.infer<typeof params>;

/** What one pick put on one endpoint and has not given back. */
interface Reservation {
  readonly profile: string;
  slot: number;
  generation: number;
  /** 1 until given back. */
  requests: number;
  tokens: number;
  flow: Flow;
}

/**
 * Counts requests and tokens that this picker has in flight on each endpoint.
 *
 * Tokens of a request on an endpoint: (blocks - matched blocks) * block size + input tokens beyond the blocks, where
 * the prefix is known, else all input tokens; with addEstimatedOutputTokens also round(input * outputRatio), not more
 * than the client's own limit and maxEstimatedOutputTokens. The first pick of each profile gets one request and these
 * tokens in the same step. The first byte of the answer gives back the tokens (not with addEstimatedOutputTokens) and
 * all of profile `prefill`; the end, whatever it is, gives back the rest, once. What an endpoint had ends with it.
 * Source: requestcontrol/dataproducer/inflightload.
 */
export const inflightLoadProducer = defineProducer({
  type: INFLIGHT_LOAD_PRODUCER,
  example: `
plugins:
- type: inflight-load-producer
  parameters: {addEstimatedOutputTokens: true, outputRatio: 0.5}
- type: token-load-scorer
`,
  params,
  data: ({ prefixMatchInfoProducerName }, name) => ({
    requires: [tokenizedPromptKey(TOKEN_PRODUCER)],
    wants: [prefixMatchKey(prefixMatchInfoProducerName)],
    produces: [inflightLoadKey(name), uncachedTokensKey(name)],
  }),
  create: (parsed, context) => new InflightLoadProducer(parsed, context),
});

class InflightLoadProducer implements PluginInstance {
  readonly #params: Params;
  readonly #context: PluginContext;
  readonly #load: InflightColumns;
  readonly #flows: InflightFlows;
  readonly #matchKey;
  readonly #uncachedKey;
  readonly #reservedKey;

  constructor(parsed: Params, context: PluginContext) {
    this.#params = parsed;
    this.#context = context;
    this.#load = new InflightColumns(context.endpoints, context.name);
    this.#flows = new InflightFlows(context.endpoints, context.name);
    this.#matchKey = prefixMatchKey(parsed.prefixMatchInfoProducerName);
    this.#uncachedKey = uncachedTokensKey(context.name);
    this.#reservedKey = dataKey<readonly Reservation[]>("InFlightReserved", context.name);
  }

  produce(request: PluginRequest): undefined {
    const tokens = new Float64Array(request.table.count);
    for (let row = 0; row < tokens.length; row++) tokens[row] = this.#tokensOf(request, row);
    request.put(this.#uncachedKey, { tokens });
  }

  preRequest(request: PluginRequest, { targets }: { readonly targets: readonly ReservedTarget[] }): void {
    const reserved = targets.map(({ profile, slot, generation, row }): Reservation => {
      const tokens = this.#tokensOf(request, row);
      this.#load.add(slot, 1, tokens);
      return { profile, slot, generation, requests: 1, tokens, flow: this.#flows.add(slot, request, 1, tokens) };
    });
    request.put(this.#reservedKey, reserved);
  }

  moved(request: PluginRequest, from: ReservedTarget, to: ReservedTarget): void {
    for (const reservation of request.get(this.#reservedKey) ?? []) {
      const { profile, slot, generation, requests, tokens } = reservation;
      if (profile !== from.profile || slot !== from.slot || generation !== from.generation) continue;
      this.#giveBack(reservation, requests, tokens);
      reservation.slot = to.slot;
      reservation.generation = to.generation;
      this.#load.add(to.slot, requests, tokens);
      reservation.flow = this.#flows.add(to.slot, request, requests, tokens);
    }
  }

  responseFirstByte(request: PluginRequest): void {
    for (const reservation of request.get(this.#reservedKey) ?? []) {
      if (reservation.profile === PREFILL_PROFILE) this.#release(reservation, true);
      else if (!this.#params.addEstimatedOutputTokens) this.#release(reservation, false);
    }
  }

  requestEnded(request: PluginRequest): void {
    for (const reservation of request.get(this.#reservedKey) ?? []) this.#release(reservation, true);
  }

  endpointRemoved(slot: number): void {
    this.#flows.remove(slot);
  }

  gaugeRows() {
    return this.#flows.rows();
  }

  gauges() {
    return this.#load.gauges();
  }

  #release(reservation: Reservation, wholly: boolean): void {
    this.#giveBack(reservation, wholly ? reservation.requests : 0, reservation.tokens);
    reservation.tokens = 0;
    if (wholly) reservation.requests = 0;
  }

  /** An endpoint that took the slot of the one meant is not touched. */
  #giveBack({ slot, generation, flow }: Reservation, requests: number, tokens: number): void {
    if (!this.#context.endpoints.holds(slot, generation)) return;
    this.#load.add(slot, -requests, -tokens);
    this.#flows.release(flow, requests, tokens);
  }

  #tokensOf(request: PluginRequest, row: number): number {
    const inputTokens = Math.max(0, request.facts.inputTokens);
    return this.#uncachedTokens(request, row, inputTokens) + this.#outputTokens(request, inputTokens);
  }

  #uncachedTokens(request: PluginRequest, row: number, inputTokens: number): number {
    const match = request.get(this.#matchKey);
    if (!match) return inputTokens;
    const { matchBlocks, totalBlocks, blockSizeTokens } = match;
    const indexed = totalBlocks * blockSizeTokens;
    return Math.max(0, totalBlocks - matchBlocks[row]) * blockSizeTokens + Math.max(0, inputTokens - indexed);
  }

  #outputTokens(request: PluginRequest, inputTokens: number): number {
    const { addEstimatedOutputTokens, outputRatio, maxEstimatedOutputTokens } = this.#params;
    if (!addEstimatedOutputTokens) return 0;
    const { maxOutputTokens } = request.facts;
    return Math.min(
      Math.round(inputTokens * outputRatio),
      OUTPUT_TOKENS_MAX,
      maxOutputTokens >= 0 ? maxOutputTokens : Number.POSITIVE_INFINITY,
      maxEstimatedOutputTokens ?? Number.POSITIVE_INFINITY,
    );
  }
}
