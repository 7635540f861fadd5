import type { Blueprint } from "./blueprint.ts";
import { dataFlows } from "./plan-data-flow.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** Why defaulting made a plugin that the config does not declare, in words (`spec/epp-core.md` 4.4). */
export function createdBecause({ name, definition }: PluginEntry, blueprint: Blueprint): string {
  const { points } = definition;
  if (points.includes("profileHandler")) return "there is one profile and no profile handler";
  if (points.includes("picker")) return "no picker is declared";
  if (points.includes("parser")) return "requestHandler.parsers names it, or names none";
  if (points.includes("saturationDetector")) return "flowControl.saturationDetector names it, or names none";
  if (points.includes("dataSource") || points.includes("extractor")) return "dataLayer.injectDefaults";
  if (points.some((point) => point.endsWith("Policy"))) return "a default of flowControl";
  const readers = dataFlows(blueprint.plugins)
    .filter(({ producers }) => producers.includes(name))
    .flatMap((flow) =>
      flow.readers.filter(({ required }) => required).map((reader) => `${reader.name} (${flow.kind})`),
    );
  return readers.length > 0 ? `its data is required by ${readers.join(", ")}` : "a default of the picker";
}
