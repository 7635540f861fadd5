import { describe, expect, it } from "vitest";
import type { Blueprint } from "./blueprint.ts";
import { readBlueprint } from "./blueprint.ts";
import { configOptionsOf } from "./epp-flag-options.ts";
import { parseEppFlags } from "./epp-flags.ts";

/** The blueprint of a config with a command line. */
function blueprintOf(argv: readonly string[], text = ""): Blueprint {
  const parsed = parseEppFlags(["--pool-name=p", ...argv], {});
  if (!parsed.ok) throw new Error(parsed.errors.join("\n"));
  return readBlueprint({ text, options: configOptionsOf(parsed.flags) });
}
const sourceOf = (blueprint: Blueprint) => blueprint.dataLayer.sources[0];
const enginesOf = (blueprint: Blueprint) =>
  (sourceOf(blueprint).extractors[0].params as { engineConfigs: readonly unknown[] }).engineConfigs;

const CONFIG = (source: string, extractor: string) => `plugins:
- {type: max-score-picker}
- {type: metrics-data-source, parameters: ${source}}
- {type: core-metrics-extractor, parameters: ${extractor}}
dataLayer: {sources: [{pluginRef: metrics-data-source, extractors: [{pluginRef: core-metrics-extractor}]}]}
`;

describe("older flags as parameters", () => {
  it("make no difference when there are none", () => {
    expect(sourceOf(blueprintOf([])).params).toMatchObject({ scheme: "http", path: "/metrics" });
    expect(enginesOf(blueprintOf([]))).toEqual([]);
  });

  it("say where metrics pages are, in every spelling", () => {
    const expected = { scheme: "https", path: "/m", port: 9100, insecureSkipVerify: false };
    for (const argv of [
      [
        "--model-server-metrics-scheme=https",
        "--model-server-metrics-path=/m",
        "--model-server-metrics-port=9100",
        "--model-server-metrics-https-insecure-skip-verify=false",
      ],
      [
        "-modelServerMetricsScheme",
        "https",
        "-modelServerMetricsPath",
        "/m",
        "-modelServerMetricsPort",
        "9100",
        "-modelServerMetricsHttpsInsecureSkipVerify=false",
      ],
    ]) {
      expect(sourceOf(blueprintOf(argv)).params).toMatchObject(expected);
    }
  });

  it("are the plugin's own parameters, where the plan reads them", () => {
    const { plugins } = blueprintOf(["--modelServerMetricsScheme", "https"]);
    const source = plugins.find(({ name }) => name === "metrics-data-source");
    expect(source?.params).toMatchObject({ scheme: "https", insecureSkipVerify: true });
  });

  it("that say nothing leave the defaults", () => {
    const argv = ["--model-server-metrics-scheme=", "--model-server-metrics-path=", "--model-server-metrics-port=0"];
    expect(blueprintOf(argv)).toEqual(blueprintOf([]));
  });

  it("give way to what the config says, key by key and in any case", () => {
    const blueprint = blueprintOf(
      ["--model-server-metrics-scheme=https", "--model-server-metrics-port=9100"],
      CONFIG("{Scheme: http}", "{}"),
    );
    expect(sourceOf(blueprint).params).toMatchObject({ scheme: "http", port: 9100 });
    expect(blueprint.warnings).toEqual([
      "metrics-data-source says scheme itself, which counts before --model-server-metrics-*",
    ]);
  });

  it("become the engine of pods that name none", () => {
    const argv = [
      "--total-queued-requests-metric=q",
      "--total-running-requests-metric=r{a=b}",
      "--loraInfoMetric=",
      "--kv-cache-usage-percentage-metric",
      "k",
      "-cache-info-metric=c",
    ];
    const blueprint = blueprintOf(argv, CONFIG("{}", "{engineConfigs: [{name: x}]}"));
    expect(enginesOf(blueprint)).toEqual([
      expect.objectContaining({ name: "x" }),
      expect.objectContaining({
        name: "vllm",
        queuedRequestsSpec: "q",
        runningRequestsSpec: "r{a=b}",
        kvUsageSpec: "k",
        loraSpec: "",
        cacheInfoSpec: "c",
      }),
    ]);
  });

  it("keep the built-in names of signals that they leave out", () => {
    expect(enginesOf(blueprintOf(["--total-queued-requests-metric=q"]))).toMatchObject([
      { queuedRequestsSpec: "q", kvUsageSpec: "vllm:kv_cache_usage_perc", loraSpec: "vllm:lora_requests_info" },
    ]);
  });

  it.each(["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"])(
    "leave the built-in engine, which reads both names of the KV use, for %s",
    (metric) => expect(enginesOf(blueprintOf(["--kv-cache-usage-percentage-metric", metric]))).toEqual([]),
  );

  it("give way to a config with its own engine vllm", () => {
    const blueprint = blueprintOf(
      ["--total-queued-requests-metric=q"],
      CONFIG("{}", "{engineConfigs: [{name: vllm, queuedRequestsSpec: mine}]}"),
    );
    expect(enginesOf(blueprint)).toMatchObject([{ name: "vllm", queuedRequestsSpec: "mine" }]);
    expect(blueprint.warnings).toEqual([
      'core-metrics-extractor says engineConfigs "vllm" itself, which counts before --*-metric',
    ]);
  });

  it("have no effect where the config has no such plugin, and say so", () => {
    const argv = ["--model-server-metrics-port=1", "--lora-info-metric=l"];
    const text = "plugins: [{type: random-picker}]\ndataLayer: {injectDefaults: false}\n";
    const blueprint = blueprintOf(argv, text);
    expect(blueprint.dataLayer).toEqual(blueprintOf([], text).dataLayer);
    expect(blueprint.warnings).toEqual([
      "--model-server-metrics-* has no effect: the config has no metrics-data-source",
      "--*-metric has no effect: the config has no core-metrics-extractor",
    ]);
  });

  it("are options of the config, by today's names, so that a recorded run replays with them", () => {
    const parsed = parseEppFlags(["--poolName=p", "--modelServerMetricsPort=1", "--loraInfoMetric", "l"], {});
    if (!parsed.ok) throw new Error("refused");
    expect(configOptionsOf(parsed.flags)).toEqual({
      "pool-name": "p",
      "pool-namespace": "default",
      "allow-experimental-plugins": false,
      "disable-endpoint-subset-filter": false,
      "model-server-metrics-port": 1,
      "lora-info-metric": "l",
    });
  });
});

describe("the name of the KV use up to vLLM 0.9", () => {
  const readsIt = (blueprint: Blueprint) =>
    (sourceOf(blueprint).extractors[0].params as { readsOldKvUsage: boolean }).readsOldKvUsage;

  it("is read, unless the config or --strict-config says otherwise", () => {
    expect(readsIt(blueprintOf([]))).toBe(true);
    expect(readsIt(blueprintOf([], CONFIG("{}", "{readsOldKvUsage: false}")))).toBe(false);
    expect(readsIt(blueprintOf(["--strict-config"]))).toBe(false);
    expect(readsIt(blueprintOf(["--strict-config"], CONFIG("{}", "{engineConfigs: []}")))).toBe(false);
  });

  it("is no parameter of the stock release, which --strict-config refuses", () => {
    expect(() => blueprintOf(["--strict-config"], CONFIG("{}", "{readsOldKvUsage: false}"))).toThrow(/readsOldKvUsage/);
  });
});
