import type { PluginEntry } from "./plugin-entry.ts";

/** One kind of data on its way between plugins. */
export interface DataFlow {
  /** `<kind>/<name of the producer>` */
  readonly id: string;
  readonly kind: string;
  /** Names of the plugins that give it. */
  readonly producers: readonly string[];
  readonly readers: readonly {
    readonly name: string;
    /** True when it does not work without; false when it only makes use of it. */
    readonly required: boolean;
  }[];
}

/** Who gives which data to whom, in the order in which plugins name it. */
export function dataFlows(plugins: readonly PluginEntry[]): DataFlow[] {
  const flows = new Map<
    string,
    { kind: string; producers: string[]; readers: { name: string; required: boolean }[] }
  >();
  const flowOf = ({ id, kind }: { readonly id: string; readonly kind: string }) => {
    const flow = flows.get(id) ?? { kind, producers: [], readers: [] };
    flows.set(id, flow);
    return flow;
  };
  for (const { name, definition, params } of plugins) {
    const { requires = [], wants = [], produces = [] } = definition.data?.(params, name) ?? {};
    for (const key of produces) flowOf(key).producers.push(name);
    for (const key of requires) flowOf(key).readers.push({ name, required: true });
    for (const key of wants) flowOf(key).readers.push({ name, required: false });
  }
  return [...flows].map(([id, flow]) => ({ id, ...flow }));
}
