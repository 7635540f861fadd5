import { dataKey } from "./data-key.ts";
import { disaggFlatKeys } from "./disagg-flat-keys.ts";
import { discoveryEndpoints } from "./discovery-endpoints.ts";
import { inlineSaturationDetector } from "./inline-saturation-detector.ts";
import type { OldForm } from "./old-form.ts";
import { pdThreshold } from "./pd-threshold.ts";
import { pluginConfigKey } from "./plugin-config-key.ts";
import { cacheTrackingMode, preciseParameters } from "./precise-parameters.ts";
import { predictedLatencyScorer } from "./predicted-latency-scorer.ts";
import { prefixIndexParameters } from "./prefix-index-parameters.ts";
import { attributeWithProducer, embeddingsCacheSize, tokenProducerHttp } from "./renamed-parameters.ts";
import { strayBlockSize } from "./stray-block-size.ts";
import { tokensInFlightPenalty } from "./tokens-in-flight-penalty.ts";
import { topLevelParser } from "./top-level-parser.ts";
import { topLevelSaturationDetector } from "./top-level-saturation-detector.ts";

/** Every older form that is understood, in the order in which they are applied: later ones see what earlier ones made. */
export const OLD_FORMS: readonly OldForm[] = [
  dataKey,
  discoveryEndpoints,
  inlineSaturationDetector,
  topLevelSaturationDetector,
  topLevelParser,
  pluginConfigKey,
  cacheTrackingMode,
  preciseParameters,
  prefixIndexParameters,
  pdThreshold,
  disaggFlatKeys,
  strayBlockSize,
  predictedLatencyScorer,
  tokensInFlightPenalty,
  tokenProducerHttp,
  embeddingsCacheSize,
  attributeWithProducer,
];
