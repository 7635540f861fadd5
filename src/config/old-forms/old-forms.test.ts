import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readBlueprint } from "../blueprint.ts";
import { ConfigError, ProblemList } from "../config-error.ts";
import type { ConfigMap, ConfigNode } from "../config-node.ts";
import { readConfig } from "../read-config.ts";
import { partsOf, withPart } from "../test-support/one-part.ts";
import { OLD_FORMS } from "./old-forms.ts";

/** A tree as plain values, as `parse` gives them. */
function plain(node: ConfigNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

function today(text: string, strict = false) {
  const problems = new ProblemList(strict);
  let root: ConfigMap = readConfig(text, problems)!;
  for (const oldForm of OLD_FORMS) root = oldForm(root, problems);
  const tell = ({ place, path, text: words }: (typeof problems.problems)[number]) =>
    `${place.line}:${place.column} ${path}: ${words}`;
  return { config: plain(root), warnings: problems.warnings.map(tell), errors: problems.problems.map(tell) };
}

const plugins = (...entries: string[]) => `plugins: [${entries.join(", ")}]`;

/** What, old text, today's text, the warning. */
const FORMS: readonly (readonly [string, string, string, string])[] = [
  [
    "the key data",
    "data: {sources: [{pluginRef: a}]}",
    "dataLayer: {sources: [{pluginRef: a}]}",
    "1:1 data: an older name of dataLayer",
  ],
  [
    "data beside dataLayer",
    "data: {sources: []}\ndataLayer: {injectDefaults: false}",
    "dataLayer: {injectDefaults: false}",
    "1:1 data: an older name of dataLayer",
  ],
  [
    "discovery.endpoints",
    "dataLayer: {discovery: {endpoints: {pluginRef: a}}}",
    "dataLayer: {discovery: {pluginRef: a}}",
    "1:36 dataLayer.discovery.endpoints: a newer form of dataLayer.discovery.pluginRef, and means the same",
  ],
  [
    "fields of the detector at the top",
    "saturationDetector: {queueDepthThreshold: 7, metricsStalenessThreshold: 150ms}",
    "plugins: [{type: utilization-detector, parameters: {queueDepthThreshold: 7, metricsStalenessThreshold: 150ms}}]",
    "1:22 saturationDetector.queueDepthThreshold: an older form: queueDepthThreshold, metricsStalenessThreshold are parameters of the plugin utilization-detector today",
  ],
  [
    "fields of the detector in flowControl, for the plugin that it names",
    `${plugins("{type: utilization-detector, name: d, parameters: {headroom: 0.5, kvCacheUtilThreshold: 0.9}}")}
flowControl: {saturationDetector: {pluginRef: d, kvCacheUtilThreshold: 0.7, queueDepthThreshold: 7}}`,
    `${plugins("{type: utilization-detector, name: d, parameters: {headroom: 0.5, kvCacheUtilThreshold: 0.9, queueDepthThreshold: 7}}")}
flowControl: {saturationDetector: {pluginRef: d}}`,
    "2:50 flowControl.saturationDetector.kvCacheUtilThreshold: an older form: kvCacheUtilThreshold, queueDepthThreshold are parameters of the plugin d today",
  ],
  [
    "config for parameters",
    plugins("{type: x, config: {a: 1}}"),
    plugins("{type: x, parameters: {a: 1}}"),
    "1:21 plugins[0].config: an older name of parameters",
  ],
  [
    "hashBlockSize of prefix-cache-scorer",
    plugins("{type: prefix-cache-scorer, parameters: {hashBlockSize: 65, maxPrefixBlocksToMatch: 256}}"),
    plugins(
      "{type: prefix-cache-scorer, parameters: {}}",
      "{type: approx-prefix-cache-producer, parameters: {maxPrefixBlocksToMatch: 256, blockSizeTokens: 17}}",
    ),
    "1:52 plugins[0].parameters.hashBlockSize: an older form: hashBlockSize, maxPrefixBlocksToMatch are parameters of approx-prefix-cache-producer today, hashBlockSize in tokens as blockSizeTokens",
  ],
  [
    "blockSize of prefix-cache-scorer beside a declared producer, whose own parameters count",
    plugins(
      "{type: prefix-cache-scorer, parameters: {blockSize: 64, lruCapacityPerServer: 9}}",
      "{type: approx-prefix-cache-producer, parameters: {lruCapacityPerServer: 10}}",
    ),
    plugins(
      "{type: prefix-cache-scorer, parameters: {}}",
      "{type: approx-prefix-cache-producer, parameters: {lruCapacityPerServer: 10, blockSizeTokens: 64}}",
    ),
    "1:52 plugins[0].parameters.blockSize: an older form: blockSize, lruCapacityPerServer are parameters of approx-prefix-cache-producer today, blockSize as blockSizeTokens",
  ],
  [
    "autoTune of a scorer that reads another producer",
    plugins(
      "{type: prefix-cache-scorer, parameters: {autoTune: false, prefixMatchInfoProducerName: p}}",
      "{type: precise-prefix-cache-producer, name: p}",
    ),
    plugins(
      "{type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: p}}",
      "{type: precise-prefix-cache-producer, name: p}",
    ),
    "1:52 plugins[0].parameters.autoTune: an older form: autoTune is a parameter of the approx-prefix-cache-producer p today",
  ],
  [
    "threshold 0 of pd-profile-handler",
    plugins("{type: pd-profile-handler, parameters: {threshold: 0, hashBlockSize: 5, primaryPort: 8000}}"),
    plugins(
      "{type: pd-profile-handler, parameters: {primaryPort: 8000, deciderPluginName: always-disagg-pd-decider}}",
      "{type: always-disagg-pd-decider}",
    ),
    "1:51 plugins[0].parameters.threshold: an older form of pd-profile-handler, today the decider always-disagg-pd-decider",
  ],
  [
    "threshold 30001 of pd-profile-handler",
    plugins("{type: pd-profile-handler, parameters: {threshold: 30001}}"),
    plugins(
      "{type: pd-profile-handler, parameters: {deciderPluginName: prefix-based-pd-decider}}",
      "{type: prefix-based-pd-decider, parameters: {nonCachedBytes: 30001}}",
    ),
    "1:51 plugins[0].parameters.threshold: an older form of pd-profile-handler, today the decider prefix-based-pd-decider with nonCachedBytes 30001",
  ],
  [
    "threshold beside a decider",
    plugins("{type: pd-profile-handler, parameters: {threshold: 9, deciderPluginName: d}}"),
    plugins("{type: pd-profile-handler, parameters: {deciderPluginName: d}}"),
    "1:51 plugins[0].parameters.threshold: an older form of pd-profile-handler, which has no effect beside deciderPluginName",
  ],
  [
    "pd-profile-handler without a decider",
    plugins("{type: pd-profile-handler}"),
    plugins(
      "{type: pd-profile-handler, parameters: {deciderPluginName: always-disagg-pd-decider}}",
      "{type: always-disagg-pd-decider}",
    ),
    "1:11 plugins[0]: an older form of pd-profile-handler, today the decider always-disagg-pd-decider",
  ],
  [
    "cache_tracking",
    plugins(
      "{type: prefix-cache-scorer, parameters: {mode: cache_tracking, kvEventsConfig: {}, blockSize: 64, autoTune: false}}",
    ),
    plugins("{type: precise-prefix-cache-scorer, parameters: {kvEventsConfig: {}}, name: prefix-cache-scorer}"),
    "1:58 plugins[0].parameters.mode: an older parameter: today the type precise-prefix-cache-scorer, where blockSize, autoTune have no effect",
  ],
  [
    "the token processor within the indexer",
    plugins(
      "{type: precise-prefix-cache-scorer, parameters: {indexerConfig: {tokenProcessorConfig: {blockSize: 64}, kvBlockIndexConfig: {enableMetrics: true}}}}",
    ),
    plugins(
      "{type: precise-prefix-cache-scorer, parameters: {indexerConfig: {kvBlockIndexConfig: {enableMetrics: true}}, tokenProcessorConfig: {blockSize: 64}}}",
    ),
    "1:98 plugins[0].parameters.indexerConfig.tokenProcessorConfig: an older place of parameters.tokenProcessorConfig",
  ],
  [
    "a limit in tokens of prefix-cache-affinity-filter",
    plugins(
      "{type: prefix-cache-affinity-filter, parameters: {maxTokensInFlightPenalty: 286720, maxTTFTPenaltyMs: 0}}",
    ),
    plugins(
      "{type: prefix-cache-affinity-filter, parameters: {maxTTFTPenaltyMs: 286720, peakPrefillThroughput: 1000}}",
    ),
    "1:61 plugins[0].parameters.maxTokensInFlightPenalty: a newer parameter, taken as maxTTFTPenaltyMs 286720 at peakPrefillThroughput 1000, which is the same",
  ],
  [
    "hashBlockSize at a type that does not read it",
    plugins(
      "{type: no-hit-lru-scorer, parameters: {lruSize: 9, hashBlockSize: 5}}",
      "{type: queue-scorer, parameters: {hashBlockSize: 5}}",
    ),
    plugins(
      "{type: no-hit-lru-scorer, parameters: {lruSize: 9}}",
      "{type: queue-scorer, parameters: {hashBlockSize: 5}}",
    ),
    "1:62 plugins[0].parameters.hashBlockSize: an older parameter, which has no effect today",
  ],
  [
    "predicted-latency-scorer",
    plugins("{type: predicted-latency-scorer, parameters: {samplingMean: 9, ttftWeight: 1}}"),
    plugins(
      "{type: latency-scorer, parameters: {ttftWeight: 1}, name: predicted-latency-scorer}",
      "{type: predicted-latency-producer, parameters: {samplingMean: 9}}",
    ),
    "1:18 plugins[0].type: an older type, today latency-scorer with a predicted-latency-producer",
  ],
  [
    "http of token-producer",
    plugins("{type: token-producer, parameters: {modelName: m, vllm: {http: 'http://a'}}}"),
    plugins("{type: token-producer, parameters: {modelName: m, vllm: {url: 'http://a'}}}"),
    "1:68 plugins[0].parameters.vllm.http: an older name of url",
  ],
  [
    "cacheSizeInMB",
    plugins("{type: mm-embeddings-cache-producer, parameters: {cacheSizeInMB: 1}}"),
    plugins("{type: mm-embeddings-cache-producer, parameters: {cacheSizeInMBPerServer: 1}}"),
    "1:61 plugins[0].parameters.cacheSizeInMB: an older name of cacheSizeInMBPerServer",
  ],
  [
    "a producer within an attribute",
    plugins("{type: endpoint-attribute-scorer, parameters: {attributeKey: GPU/dcgm}}"),
    plugins("{type: endpoint-attribute-scorer, parameters: {attributeKey: GPU, producer: dcgm}}"),
    '1:72 plugins[0].parameters.attributeKey: an older form of attributeKey "GPU" with producer "dcgm"',
  ],
];

describe("an older form with one part replaced", () => {
  const cases = FORMS.flatMap(([, old]) => partsOf(parse(old)).map((path) => [parse(old) as unknown, path] as const));
  const value = fc.oneof(fc.constantFrom(null, true, -1, 0, "", "x", [], {}, [[]], [null], { a: 1 }), fc.jsonValue());

  it("gives a plan or located errors, never anything else", () => {
    fc.assert(
      fc.property(fc.constantFrom(...cases), value, ([old, path], by) => {
        try {
          readBlueprint({ text: JSON.stringify(withPart(old, path, by)), options: {} });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          for (const line of (error as ConfigError).message.split("\n").slice(1))
            expect(line).toMatch(/^config:\d+:\d+: /);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("an older form", () => {
  for (const [what, old, now, warning] of FORMS) {
    it(`${what}: is today's with one warning, stays so, and is refused when strict`, () => {
      const { config, warnings, errors } = today(old);
      expect([config, warnings, errors]).toEqual([parse(now), [warning], []]);
      expect(today(now)).toEqual({ config: parse(now), warnings: [], errors: [] });
      const strict = today(old, true);
      const [place] = warning.split(": ");
      expect([strict.warnings, strict.errors]).toEqual([[], [expect.stringContaining(`${place}: found `) as string]]);
    });
  }

  it("gives prefix-cache-scorers with differing parameters a producer each, and those with equal ones the same", () => {
    const scorer = (name: string, size: number) =>
      `{type: prefix-cache-scorer, name: ${name}, parameters: {blockSizeTokens: ${size}}}`;
    expect(today(plugins(scorer("a", 64), scorer("b", 128), scorer("c", 64))).config).toEqual(
      parse(
        plugins(
          "{type: prefix-cache-scorer, name: a, parameters: {}}",
          "{type: prefix-cache-scorer, name: b, parameters: {prefixMatchInfoProducerName: b-producer}}",
          "{type: prefix-cache-scorer, name: c, parameters: {}}",
          "{type: approx-prefix-cache-producer, parameters: {blockSizeTokens: 64}}",
          "{type: approx-prefix-cache-producer, name: b-producer, parameters: {blockSizeTokens: 128}}",
        ),
      ),
    );
  });

  it("without an equal is refused with the reason", () => {
    const both = "{type: prefix-cache-affinity-filter, parameters: {maxTokensInFlightPenalty: 9, maxTTFTPenaltyMs: 5}}";
    expect(today(plugins(both)).errors).toEqual([
      "1:61 plugins[0].parameters.maxTokensInFlightPenalty: found maxTokensInFlightPenalty with a limit in time, expected one of them: nothing here weighs both",
    ]);
  });

  it("of the stock release itself stays a warning when strict", () => {
    expect(today("parser: {pluginRef: openai-parser}\nsaturationDetector: {pluginRef: d}", true)).toMatchObject({
      warnings: [expect.stringContaining("saturationDetector"), expect.stringContaining("parser")],
      errors: [],
    });
  });
});
