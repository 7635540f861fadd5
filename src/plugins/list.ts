import type { PluginDefinition } from "../core/plugin.ts";
import { latencySloAdmitter } from "./admission/latency-slo-admitter.ts";
import { probabilisticAdmitter } from "./admission/probabilistic-admitter.ts";
import { coreMetricsExtractor } from "./data-layer/core-metrics-extractor.ts";
import { dcgmDataSource } from "./data-layer/dcgm-data-source.ts";
import { dcgmExtractor } from "./data-layer/dcgm-extractor.ts";
import { endpointNotificationSource } from "./data-layer/endpoint-notification-source.ts";
import { fileDiscovery } from "./data-layer/file-discovery.ts";
import { k8sNotificationSource } from "./data-layer/k8s-notification-source.ts";
import { metricsDataSource } from "./data-layer/metrics-data-source.ts";
import { modelsDataExtractor } from "./data-layer/models-data-extractor.ts";
import { modelsDataSource } from "./data-layer/models-data-source.ts";
import { multiclusterFileDiscovery } from "./data-layer/multicluster-file-discovery.ts";
import { multiclusterMetricsDataSource } from "./data-layer/multicluster-metrics-data-source.ts";
import { multiclusterMetricsExtractor } from "./data-layer/multicluster-metrics-extractor.ts";
import { topologyExtractor } from "./data-layer/topology-extractor.ts";
import { alwaysDisaggMultimodalDecider, alwaysDisaggPdDecider } from "./deciders/always-deciders.ts";
import { prefixBasedPdDecider } from "./deciders/prefix-based-pd-decider.ts";
import { defineParser } from "./define.ts";
import { byLabelFilter } from "./filters/by-label-filter.ts";
import { decisionTreeFilter } from "./filters/decision-tree-filter.ts";
import { endpointAttributeFilter } from "./filters/endpoint-attribute-filter.ts";
import { headerBasedTestingFilter } from "./filters/header-based-testing-filter.ts";
import { byLabelSelectorFilter, labelSelectorFilter } from "./filters/label-selector-filter.ts";
import { leastKvCacheFilter } from "./filters/least-kv-cache-filter.ts";
import { leastQueueFilter } from "./filters/least-queue-filter.ts";
import { loraAffinityFilter } from "./filters/lora-affinity-filter.ts";
import { lowQueueFilter } from "./filters/low-queue-filter.ts";
import { prefixCacheAffinityFilter } from "./filters/prefix-cache-affinity-filter.ts";
import { ROLE_FILTERS } from "./filters/role-filters.ts";
import { sloHeadroomTierFilter } from "./filters/slo-headroom-tier-filter.ts";
import { topologyAffinityFilter } from "./filters/topology-affinity-filter.ts";
import { utilizationFilter } from "./filters/utilization-filter.ts";
import { concurrencyDetector } from "./flow-control/concurrency-detector.ts";
import { utilizationDetector } from "./flow-control/utilization-detector.ts";
import { anthropicParser } from "./parsers/anthropic-parser.ts";
import { openaiParser } from "./parsers/openai-parser.ts";
import { passthroughParser } from "./parsers/passthrough-parser.ts";
import { sglanghttpParser } from "./parsers/sglanghttp-parser.ts";
import { vertexaiParser } from "./parsers/vertexai-parser.ts";
import { vllmgrpcParser } from "./parsers/vllmgrpc-parser.ts";
import { vllmhttpParser } from "./parsers/vllmhttp-parser.ts";
import { maxScorePicker } from "./pickers/max-score-picker.ts";
import { randomPicker } from "./pickers/random-picker.ts";
import { weightedRandomPicker } from "./pickers/weighted-random-picker.ts";
import { approxPrefixCacheProducer } from "./producers/approx-prefix-cache-producer.ts";
import { burstPrefixCacheProducer } from "./producers/burst-prefix-cache-producer.ts";
import { inflightLoadProducer } from "./producers/inflight-load-producer.ts";
import { mmEmbeddingsCacheProducer } from "./producers/mm-embeddings-cache-producer.ts";
import { multiclusterApproxPrefixCacheProducer } from "./producers/multicluster-approx-prefix-cache-producer.ts";
import { p2pSourceProducer } from "./producers/p2p-source-producer.ts";
import { tokenProducer } from "./producers/token-producer.ts";
import { dataParallelProfileHandler } from "./profile-handlers/data-parallel-profile-handler.ts";
import { disaggHeadersHandler, prefillHeaderHandler } from "./profile-handlers/disagg-headers-handler.ts";
import { disaggProfileHandler } from "./profile-handlers/disagg-profile-handler.ts";
import { headerProfileHandler } from "./profile-handlers/header-profile-handler.ts";
import { pdProfileHandler } from "./profile-handlers/pd-profile-handler.ts";
import { singleProfileHandler } from "./profile-handlers/single-profile-handler.ts";
import { agentIdentity } from "./request-control/agent-identity.ts";
import { destinationEndpointServedVerifier } from "./request-control/destination-endpoint-served-verifier.ts";
import { disaggregatedsetRolloutScreener } from "./request-control/disaggregatedset-rollout-screener.ts";
import { requestAttributeReporter } from "./request-control/request-attribute-reporter.ts";
import { activeRequestScorer } from "./scorers/active-request-scorer.ts";
import { contextLengthAware } from "./scorers/context-length-aware.ts";
import { endpointAttributeScorer } from "./scorers/endpoint-attribute-scorer.ts";
import { headerLabelAffinityScorer } from "./scorers/header-label-affinity-scorer.ts";
import { kvCacheUtilizationScorer } from "./scorers/kv-cache-utilization-scorer.ts";
import { latencyScorer } from "./scorers/latency-scorer.ts";
import { loadAwareScorer } from "./scorers/load-aware-scorer.ts";
import { multiclusterKvCacheUtilizationScorer } from "./scorers/multicluster-kv-cache-utilization-scorer.ts";
import { multiclusterQueueScorer } from "./scorers/multicluster-queue-scorer.ts";
import { loraAffinityScorer } from "./scorers/lora-affinity-scorer.ts";
import { mmEmbeddingsCacheScorer } from "./scorers/mm-embeddings-cache-scorer.ts";
import { multiclusterPrefixCacheScorer } from "./scorers/multicluster-prefix-cache-scorer.ts";
import { noHitLruScorer } from "./scorers/no-hit-lru-scorer.ts";
import { prefixCacheScorer } from "./scorers/prefix-cache-scorer.ts";
import { queueScorer } from "./scorers/queue-scorer.ts";
import { runningRequestsSizeScorer } from "./scorers/running-requests-size-scorer.ts";
import { tokenLoadScorer } from "./scorers/token-load-scorer.ts";
import { topologyAffinityScorer } from "./scorers/topology-affinity-scorer.ts";
import { SESSION_AFFINITY } from "./session/session-affinity.ts";
import { sessionIdProducer } from "./session/session-id-producer.ts";
import { UNBUILT } from "./unbuilt/list.ts";

/** Every plugin type that is built: one line each. */
export const PLUGINS: readonly PluginDefinition[] = [
  byLabelFilter,
  byLabelSelectorFilter,
  decisionTreeFilter,
  endpointAttributeFilter,
  headerBasedTestingFilter,
  labelSelectorFilter,
  leastKvCacheFilter,
  leastQueueFilter,
  loraAffinityFilter,
  lowQueueFilter,
  prefixCacheAffinityFilter,
  ...ROLE_FILTERS,
  ...SESSION_AFFINITY,
  sloHeadroomTierFilter,
  topologyAffinityFilter,
  utilizationFilter,
  contextLengthAware,
  activeRequestScorer,
  endpointAttributeScorer,
  headerLabelAffinityScorer,
  kvCacheUtilizationScorer,
  latencyScorer,
  loadAwareScorer,
  loraAffinityScorer,
  multiclusterKvCacheUtilizationScorer,
  multiclusterQueueScorer,
  mmEmbeddingsCacheScorer,
  multiclusterPrefixCacheScorer,
  noHitLruScorer,
  prefixCacheScorer,
  queueScorer,
  runningRequestsSizeScorer,
  tokenLoadScorer,
  topologyAffinityScorer,
  maxScorePicker,
  randomPicker,
  weightedRandomPicker,
  dataParallelProfileHandler,
  disaggHeadersHandler,
  disaggProfileHandler,
  headerProfileHandler,
  pdProfileHandler,
  prefillHeaderHandler,
  singleProfileHandler,
  alwaysDisaggMultimodalDecider,
  alwaysDisaggPdDecider,
  prefixBasedPdDecider,
  approxPrefixCacheProducer,
  burstPrefixCacheProducer,
  inflightLoadProducer,
  mmEmbeddingsCacheProducer,
  multiclusterApproxPrefixCacheProducer,
  p2pSourceProducer,
  sessionIdProducer,
  tokenProducer,
  concurrencyDetector,
  utilizationDetector,
  latencySloAdmitter,
  probabilisticAdmitter,
  agentIdentity,
  destinationEndpointServedVerifier,
  disaggregatedsetRolloutScreener,
  requestAttributeReporter,
  dcgmDataSource,
  endpointNotificationSource,
  k8sNotificationSource,
  metricsDataSource,
  modelsDataSource,
  multiclusterMetricsDataSource,
  coreMetricsExtractor,
  dcgmExtractor,
  modelsDataExtractor,
  multiclusterMetricsExtractor,
  topologyExtractor,
  fileDiscovery,
  multiclusterFileDiscovery,
  defineParser(openaiParser),
  defineParser(anthropicParser),
  defineParser(vllmhttpParser),
  defineParser(sglanghttpParser),
  defineParser(vllmgrpcParser),
  defineParser(vertexaiParser),
  defineParser(passthroughParser),
];

const byName = new Map(
  [...PLUGINS, ...UNBUILT].flatMap((plugin) => [plugin.type, ...(plugin.aliases ?? [])].map((name) => [name, plugin])),
);

/** The plugin type of a name or of an older one, built or only known (`isBuilt`); undefined when there is none. */
export const pluginType = (name: string): PluginDefinition | undefined => byName.get(name);

/** All names that `pluginType` knows. */
export const pluginTypeNames = (): Iterable<string> => byName.keys();
