import type { Parser } from "../core/parser.ts";
import type { PluginContext, PluginDefinition, PluginInstance, PluginPoint } from "../core/plugin.ts";
import { noParams } from "./params.ts";

/** What a plugin file says of its type; the wrapper adds the points. `I` holds the methods that its point needs. */
type Spec<P, I> = Omit<PluginDefinition<P>, "points" | "create"> & {
  readonly create: (params: P, context: PluginContext) => I;
};

type Having<M extends keyof PluginInstance> = PluginInstance & Required<Pick<PluginInstance, M>>;

/**
 * A type that takes part at several points. The others below are this with one point and its methods.
 * @public
 */
export function definePlugin<P>(points: readonly PluginPoint[], spec: Spec<P, PluginInstance>): PluginDefinition {
  // The only place where the type of the parameters is forgotten: `create` is called with what `params` has parsed.
  return { points, ...spec } as unknown as PluginDefinition;
}

/** Scores candidates from 0 to 1. */
export const defineScorer = <P>(spec: Spec<P, Having<"score">>): PluginDefinition => definePlugin(["scorer"], spec);

/** Narrows the candidates. */
export const defineFilter = <P>(spec: Spec<P, Having<"filter">>): PluginDefinition => definePlugin(["filter"], spec);

/** Picks endpoints by their total scores. */
export const definePicker = <P>(spec: Spec<P, Having<"pick">>): PluginDefinition => definePlugin(["picker"], spec);

/** Says which profiles run and which is the primary one. */
export const defineProfileHandler = <P>(spec: Spec<P, Having<"nextProfiles" | "finish">>): PluginDefinition =>
  definePlugin(["profileHandler"], spec);

/** What a profile handler asks whether a stage runs in a pod of its own. */
export type Decider = Having<"decide">;

/** Decides whether a stage runs in a pod of its own. */
export const defineDecider = <P>(spec: Spec<P, Decider>): PluginDefinition => definePlugin(["decider"], spec);

/** Gives data to other plugins before scheduling. */
export const defineProducer = <P>(spec: Spec<P, Having<"produce">>): PluginDefinition =>
  definePlugin(["producer"], spec);

/** Refuses requests before scheduling. */
export const defineAdmitter = <P>(spec: Spec<P, Having<"deny">>): PluginDefinition => definePlugin(["admitter"], spec);

/** Tells how full the endpoints are; works as a filter too, as in the stock EPP. */
export const defineSaturationDetector = <P>(spec: Spec<P, Having<"saturation" | "filter">>): PluginDefinition =>
  definePlugin(["saturationDetector", "filter"], spec);

/** A body reader. Parameters are ignored, as stock. */
export const defineParser = (parser: Parser): PluginDefinition =>
  definePlugin(["parser"], {
    type: parser.type,
    params: noParams,
    ignoresParams: true,
    create: () => ({ parser }),
  });

/** A type of the data layer: its parameters stand here, its runner of the same name in src/datalayer. */
export const defineDataLayerType = <P>(
  point: "dataSource" | "extractor" | "discovery",
  spec: Omit<Spec<P, PluginInstance>, "create">,
): PluginDefinition => definePlugin([point], { ...spec, create: () => ({}) });
