import { describe, expect, it } from "vitest";
import { PLUGINS } from "../plugins/list.ts";
import { readBlueprint } from "./blueprint.ts";
import { pluginExample } from "./plugin-example.ts";

const load = (text: string) =>
  readBlueprint({ text, options: { config: "example.yaml", "allow-experimental-plugins": true } });

/** What others take data from and is not built yet. */
const AWAITED = "plugin type predicted-latency-producer";

describe("the example of a plugin type", () => {
  it.each(PLUGINS.map((plugin) => [plugin.type, plugin] as const))(
    "of %s loads and has it in the plan",
    (type, plugin) => {
      const { plugins, dataLayer, unbuilt } = load(pluginExample(plugin));
      expect(unbuilt.map(({ what }) => what).filter((what) => !what.includes(AWAITED))).toEqual([]);
      const { sources, discovery } = dataLayer;
      const placed = [
        ...sources,
        ...sources.flatMap(({ extractors }) => extractors),
        ...(discovery ? [discovery] : []),
      ];
      expect([...plugins.map((entry) => entry.definition.type), ...placed.map((entry) => entry.type)]).toContain(type);
    },
  );
});
