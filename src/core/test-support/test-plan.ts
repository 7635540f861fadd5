import { draw, drawName } from "../draw.ts";
import type { ConfigSource, CoreEvent, EndpointDescription } from "../events.ts";
import type { Notice } from "../notices.ts";
import type { CompilePlan, Plan, PlanContext } from "../plan.ts";
import type { PluginInstance } from "../plugin.ts";
import type { RequestFacts } from "../request-facts.ts";
import { Core } from "../core.ts";
import type { CoreOptions } from "../core.ts";

/** Requests counted by slot at the pick and back at the end: a small reserving producer and its scorer. */
export function countingPlugin(context: PlanContext): PluginInstance & { total(): number } {
  const count = context.endpoints.column("test-inflight");
  const at = (slot: number) => count.values[slot] || 0;
  return {
    score(_request, candidates, out) {
      for (let i = 0; i < candidates.count; i++) out[i] = 1 / (1 + at(candidates.slots[i]));
    },
    preRequest(_request, { targets }) {
      count.values[targets[0].slot] = at(targets[0].slot) + 1;
    },
    requestEnded(request) {
      const { slot, generation } = (request as unknown as { targets: { slot: number; generation: number }[] })
        .targets[0];
      if (context.endpoints.holds(slot, generation)) count.values[slot] = at(slot) - 1;
    },
    moved(_request, from, to) {
      if (context.endpoints.holds(from.slot, from.generation)) count.values[from.slot] = at(from.slot) - 1;
      count.values[to.slot] = at(to.slot) + 1;
    },
    total: () => context.endpoints.slots().reduce((sum, slot) => sum + at(slot), 0),
  };
}

/** Greatest total wins, ties by draw. */
function greatestPicker(context: PlanContext): PluginInstance {
  const name = drawName("picker");
  return {
    pick(request, candidates, totals, picks, draws) {
      let best = 0;
      for (let i = 0; i < candidates.count; i++) {
        draws[i] = draw(context.seed, request.facts.key, 0, name, context.endpoints.draws[candidates.slots[i]]);
        if (totals[i] > totals[best] || (totals[i] === totals[best] && draws[i] > draws[best])) best = i;
      }
      picks[0] = best;
      return 1;
    },
  };
}

const handler: PluginInstance = {
  nextProfiles: (_request, _profiles, results) => (results[0] ? [] : [0]),
  finish: (_request, _profiles, results) => (results[0]!.ok ? { primary: 0 } : results[0]!.rejection),
};

/** A plan of one profile with the counting scorer, plus the given plugins at whatever points they have. */
export const testCompiler =
  (extra: (context: PlanContext) => readonly PluginInstance[] = () => []): CompilePlan =>
  (_source: ConfigSource, context: PlanContext): Plan => {
    const counting = countingPlugin(context);
    const plugins = [counting, ...extra(context)].map((plugin, i) => ({ name: `plugin-${i}`, type: "test", plugin }));
    const having = (method: keyof PluginInstance) => plugins.filter(({ plugin }) => method in plugin) as never;
    return {
      profiles: [
        {
          name: "default",
          filters: having("filter"),
          scorers: (having("score") as object[]).map((scorer) => ({ ...scorer, weight: 1 })) as never,
          picker: { name: "picker", type: "test", plugin: greatestPicker(context) as never },
        },
      ],
      handler: { name: "handler", type: "test", plugin: handler as never },
      screeners: having("screen"),
      producers: having("produce"),
      admitters: having("deny"),
      saturationDetector: {
        name: "saturation",
        type: "test",
        plugin: { saturation: (slots) => slots.reduce((sum, s) => sum + context.endpoints.waiting[s], 0) },
      },
      parsers: [],
      plugins,
      headerNames: [],
      tokenizes: false,
      honoursSubset: true,
    };
  };

/** A core with a list of what it said. */
export function testCore(options: Partial<CoreOptions> & { seed?: number } = {}) {
  const notices: Notice[] = [];
  const env = { seed: options.seed ?? 1, emit: (notice: Notice) => void notices.push(notice) };
  const core = new Core({ env, compile: testCompiler(), ...options });
  const step = (event: CoreEvent) => {
    const from = notices.length;
    core.step(event);
    return notices.slice(from);
  };
  step({ type: "configLoaded", atUs: 0, source: { text: "", options: {} } });
  return { core, notices, step };
}

export const endpoint = (name: string, address = `10.0.0.${name.length}`, port = 8000): EndpointDescription => ({
  id: `default/${name}`,
  namespace: "default",
  name,
  address,
  port,
  metricsHost: `${address}:${port}`,
  labels: {},
});

export const facts = (key: number, more: Partial<RequestFacts> = {}): RequestFacts => ({
  key,
  requestId: `r${key}`,
  bodyless: false,
  parser: "openai-parser",
  model: "m",
  rewritable: true,
  stream: false,
  maxOutputTokens: -1,
  cacheSalt: "",
  bodyBytes: 10,
  inputTokens: -1,
  blocks: [],
  headers: {},
  ...more,
});
