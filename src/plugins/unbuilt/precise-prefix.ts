import { z } from "zod";
import { prefixMatchKey, tokenizedPromptKey } from "../../core/data-key.ts";
import { goDurationUs, int } from "../params.ts";
import { TOKEN_PRODUCER } from "../producers/token-producer.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

const blockSize = int.min(0);

const tokenProcessorConfig = z.strictObject({
  blockSizeTokens: blockSize.default(0).describe("Tokens of a block, as the engine's --block-size; 0 = 16."),
  blockSize: blockSize.default(0).describe("Older name of blockSizeTokens."),
  hashSeed: z.string().default("").describe("Text that the keys of blocks begin with."),
  hashAlgorithm: z.enum(["", "cbor-fnv", "xxh64"]).default("").describe("How keys of blocks are made; cbor-fnv."),
});

const kvBlockIndexConfig = z.strictObject({
  inMemoryConfig: z
    .strictObject({
      size: int.optional().describe("Most keys; default 100 million."),
      podCacheSize: int.optional().describe("Most pods of a key; default 10."),
    })
    .optional()
    .describe("An index in this process; the default."),
  costAwareMemoryConfig: z
    .strictObject({ size: z.string().default("2GiB").describe("Most bytes, as a quantity.") })
    .optional()
    .describe("An index in this process with a limit in bytes."),
  redisConfig: z
    .strictObject({ address: z.string().default("").describe("URL of the server.") })
    .optional()
    .describe("An index in Redis."),
  enableMetrics: z.boolean().default(false).describe("Metrics of the index."),
  metricsLoggingInterval: int.default(0).describe("Nanoseconds between two log lines with them; 0 = none."),
});

const backend = z.strictObject({
  name: z.string().describe("Tier: gpu, cpu ..."),
  weight: z.number().describe("What a block on it is worth."),
});

const indexerFields = {
  kvBlockIndexConfig: kvBlockIndexConfig.optional().describe("Where the index is kept."),
  kvCacheBackendConfigs: z.array(backend).optional().describe("Weights of tiers; default gpu 1, cpu 0.8."),
};

const kvEventsConfig = z.strictObject({
  zmqEndpoint: z.string().default("").describe("Address to listen on, where pods connect to the picker."),
  topicFilter: z.string().default("kv@").describe("Topics that begin so."),
  concurrency: int.default(4).describe("Workers."),
  engineType: z.enum(["", "vllm", "sglang"]).default("").describe("Whose events they are; vllm."),
  discoverPods: z.boolean().default(true).describe("Whether the picker connects to the pods."),
  podDiscoveryConfig: z
    .strictObject({
      podLabelSelector: z.string().default("llm-d.ai/inference-serving=true").describe("Which pods."),
      podNamespace: z.string().default("").describe('In which namespace; "" = all.'),
      socketPort: int.min(0).max(65_535).default(5557).describe("Port of rank 0's events."),
      replaySocketPort: int.min(0).max(65_535).default(0).describe("Port to ask for missed events; 0 = none."),
    })
    .optional()
    .describe("Where the pods' events are."),
});

const shared = {
  tokenProcessorConfig: tokenProcessorConfig.optional().describe("How tokens become keys of blocks."),
  kvEventsConfig: kvEventsConfig.optional().describe("The engines' events about their KV caches."),
  speculativeIndexing: z
    .boolean()
    .default(false)
    .describe("Counts a routed prompt as cached before the engine says so."),
  speculativeTTL: z
    .literal("")
    .transform(() => 2_000_000)
    .or(goDurationUs)
    .default(2_000_000)
    .describe("How long it counts without the engine's word; 2s."),
};

// 6.5
const producer = defineUnbuilt({
  type: "precise-prefix-cache-producer",
  points: ["producer", "extractor", "requestControl"],
  payload: "endpoints",
  params: z.strictObject({
    ...shared,
    indexerConfig: z.strictObject(indexerFields).optional().describe("The index of blocks."),
  }),
  data: (_params, name) => ({
    requires: [tokenizedPromptKey(TOKEN_PRODUCER)],
    produces: [prefixMatchKey(name)],
  }),
});

const tokenizersPoolConfig = z.strictObject({
  modelName: z.string().default("").describe("Model whose tokeniser is used."),
  workersCount: int.optional().describe("Workers."),
  uds: z
    .strictObject({
      socketFile: z.string().default("").describe("Unix socket of the side-car tokeniser."),
      useTCP: z.boolean().default(false).describe("The address is of TCP."),
      modelTokenizerMap: z.record(z.string(), z.string()).default({}).describe("Tokenisers by model."),
    })
    .optional()
    .describe("The side-car tokeniser; older releases had one of their own, too."),
});

const scorerParams = (pool: z.ZodType<z.infer<typeof tokenizersPoolConfig>>) =>
  z.strictObject({
    ...shared,
    indexerConfig: z
      .strictObject({ ...indexerFields, tokenizersPoolConfig: pool.optional().describe("Tokenises itself.") })
      .optional()
      .describe("The index of blocks."),
  });

// 2.6: a producer and a scorer in one.
const scorer = defineUnbuilt({
  type: "precise-prefix-cache-scorer",
  points: ["scorer", "producer", "extractor", "requestControl"],
  payload: "endpoints",
  params: scorerParams(tokenizersPoolConfig),
  stockParams: scorerParams(
    tokenizersPoolConfig.refine(({ uds }) => uds !== undefined, {
      path: ["uds"],
      message: "the side-car tokeniser's settings",
    }),
  ),
  data: (_params, name) => ({
    wants: [tokenizedPromptKey(TOKEN_PRODUCER)],
    produces: [prefixMatchKey(name)],
  }),
});

export const UNBUILT_PRECISE_PREFIX = [producer, scorer];
