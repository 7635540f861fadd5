import type { PluginDefinition } from "../core/plugin.ts";

const HEAD = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
`;

/** A whole config that shows a plugin type at work: its own `example`, or its name alone where that is enough. */
export const pluginExample = ({ type, example }: Pick<PluginDefinition, "type" | "example">): string =>
  `${HEAD}${example?.trim() ?? `plugins:\n- type: ${type}`}\n`;
