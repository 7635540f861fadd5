import type { ConfigMap } from "../config-node.ts";
import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { inPlace, ofPlugins, renamed, textUnder, withEntry } from "./old-form.ts";

/** `vllm.http` of token-producer (llm-d-inference-scheduler 0.8): today `vllm.url`. */
export const tokenProducerHttp: OldForm = ofPlugins(["token-producer", "tokenizer"], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  const vllm = childOf(parameters, "vllm");
  const old = vllm?.kind === "map" ? vllm.entries.find(({ key }) => key === "http") : undefined;
  if (!old || childOf(vllm, "url")) return plugin;
  problems.old(old.keyPlace, [...path, "parameters", "vllm", "http"], "an older name of url");
  const changed = inPlace(parameters as ConfigMap, "vllm", renamed(vllm as ConfigMap, "http", "url"));
  return inPlace(plugin, "parameters", changed);
});

/** `cacheSizeInMB` of mm-embeddings-cache-producer: today `cacheSizeInMBPerServer`. */
export const embeddingsCacheSize: OldForm = ofPlugins(["mm-embeddings-cache-producer"], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  if (parameters?.kind !== "map" || childOf(parameters, "cacheSizeInMBPerServer")) return plugin;
  const old = parameters.entries.find(({ key }) => key === "cacheSizeInMB");
  if (!old) return plugin;
  problems.old(old.keyPlace, [...path, "parameters", "cacheSizeInMB"], "an older name of cacheSizeInMBPerServer");
  return inPlace(plugin, "parameters", renamed(parameters, "cacheSizeInMB", "cacheSizeInMBPerServer"));
});

/** `Attribute/producer` in one parameter of the endpoint attribute plugins (llm-d-router 0.10): today two parameters. */
export const attributeWithProducer: OldForm = ofPlugins(
  ["endpoint-attribute-filter", "endpoint-attribute-scorer"],
  (plugin, path, problems) => {
    const parameters = childOf(plugin, "parameters");
    if (parameters?.kind !== "map" || childOf(parameters, "producer")) return plugin;
    const key = textUnder(plugin, "type") === "endpoint-attribute-filter" ? "attribute" : "attributeKey";
    const [attribute, producer, ...more] = textUnder(parameters, key).split("/");
    if (!producer || more.length > 0) return plugin;
    const { place } = childOf(parameters, key)!;
    problems.old(
      place,
      [...path, "parameters", key],
      `an older form of ${key} "${attribute}" with producer "${producer}"`,
    );
    const text = (value: string) => ({ kind: "scalar", value, place, size: 1 }) as const;
    const changed = withEntry(inPlace(parameters, key, text(attribute)), "producer", text(producer));
    return inPlace(plugin, "parameters", changed);
  },
);
