import type { z } from "zod";
import type { ProblemList } from "./config-error.ts";
import { hint } from "./config-error.ts";
import {
  dataLayerSpec,
  flowControlSpec,
  pluginSpec,
  profilePluginSpec,
  profileSpec,
  requestHandlerSpec,
} from "./config-schema.ts";
import type { ConfigMap, ConfigNode, ConfigPath } from "./config-node.ts";
import { childOf, describeNode } from "./config-node.ts";
import { decode } from "./decode.ts";
import { DEFAULT_CONFIG_TEXT } from "./default-config.ts";
import type { FeatureGates } from "./feature-gates.ts";
import { readFeatureGates } from "./feature-gates.ts";
import { OLD_FORMS } from "./old-forms/old-forms.ts";
import { readConfig } from "./read-config.ts";

/** An entry of `plugins` as written. */
export interface PluginSpec {
  readonly name: string;
  readonly type: string;
  readonly parameters: ConfigNode | undefined;
  readonly path: ConfigPath;
  /** True when an older form stands for it: it joins no default profile. */
  readonly made: boolean;
  /** True when the entry has mistakes, which are told already. */
  readonly broken: boolean;
}

/** An entry of `schedulingProfiles` as written. */
export interface ProfileSpec {
  readonly name: string;
  readonly plugins: readonly ProfilePluginSpec[];
  readonly path: ConfigPath;
}
interface ProfilePluginSpec {
  readonly pluginRef: string;
  readonly weight?: number | undefined;
  readonly path: ConfigPath;
}

/** A config text, read by its schemas; nothing is defaulted or looked up yet. */
export interface ConfigDocument {
  readonly root: ConfigMap;
  readonly gates: FeatureGates;
  readonly plugins: readonly PluginSpec[];
  readonly profiles: readonly ProfileSpec[];
  readonly dataLayer: z.infer<typeof dataLayerSpec>;
  readonly flowControl: z.infer<typeof flowControlSpec>;
  readonly requestHandler: z.infer<typeof requestHandlerSpec>;
}

/** The newest first. */
export const API_VERSIONS = ["llm-d.ai/v1alpha1", "inference.networking.x-k8s.io/v1alpha1"] as const;
/** Guides that are newer than the recorded stock release write it. */
export const NEWER_API_VERSION = "llm-d.ai/v1";
const KIND = "EndpointPickerConfig";
const KEYS = [
  "apiVersion",
  "kind",
  "featureGates",
  "plugins",
  "schedulingProfiles",
  "dataLayer",
  "flowControl",
  "requestHandler",
] as const;

/** Reads a config text; an empty one, or one of comments alone, is the built-in default. Undefined when it is broken. */
export function readDocument(text: string, problems: ProblemList): ConfigDocument | undefined {
  let root = readConfig(text, problems);
  if (!root && problems.problems.length === 0) root = readConfig(DEFAULT_CONFIG_TEXT, problems);
  if (!root) return undefined;
  for (const oldForm of OLD_FORMS) root = oldForm(root, problems);
  checkKeys(root, problems);
  checkKind(root, problems);
  return {
    root,
    gates: readFeatureGates(childOf(root, "featureGates"), problems),
    plugins: readPlugins(root, problems),
    profiles: readProfiles(root, problems),
    dataLayer: section(root, "dataLayer", dataLayerSpec, problems),
    flowControl: section(root, "flowControl", flowControlSpec, problems),
    requestHandler: section(root, "requestHandler", requestHandlerSpec, problems),
  };
}

function checkKeys(root: ConfigMap, problems: ProblemList): void {
  for (const { key, keyPlace } of root.entries) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    problems.at(keyPlace, [key], `found an unknown key, expected one of ${KEYS.join(", ")}${hint(key, KEYS)}`);
  }
}

/** Both may be missing, as recorded. */
function checkKind(root: ConfigMap, problems: ProblemList): void {
  const checks = [
    ["apiVersion", API_VERSIONS],
    ["kind", [KIND]],
  ] as const;
  for (const [key, allowed] of checks) {
    const node = childOf(root, key);
    if (!node || (node.kind === "scalar" && (node.value === null || node.value === ""))) continue;
    const value = node.kind === "scalar" ? node.value : undefined;
    if (key === "apiVersion" && value === NEWER_API_VERSION) {
      problems.old(node.place, [key], `a newer version than ${API_VERSIONS[0]}, taken as that one`);
    } else if (!(allowed as readonly unknown[]).includes(value)) problems.found(root, [key], allowed.join(" or "));
    else if (value === API_VERSIONS[1]) problems.warn(node.place, [key], `an older form of ${API_VERSIONS[0]}`);
  }
}

function readPlugins(root: ConfigMap, problems: ProblemList): PluginSpec[] {
  return items(root, ["plugins"], problems).map(({ node, path }) => {
    const spec = decode(pluginSpec, node, path, problems);
    const type = spec?.type ?? textUnder(node, "type");
    const name = spec?.name ?? textUnder(node, "name");
    const made = node.kind === "map" && node.made === true;
    return { name: name || type, type, parameters: childOf(node, "parameters"), path, made, broken: !spec };
  });
}

function textUnder(node: ConfigNode, key: string): string {
  const child = childOf(node, key);
  return child?.kind === "scalar" && typeof child.value === "string" ? child.value : "";
}

function readProfiles(root: ConfigMap, problems: ProblemList): ProfileSpec[] {
  return items(root, ["schedulingProfiles"], problems).flatMap(({ node, path }) => {
    const spec = decode(profileSpec, node, path, problems);
    if (!spec) return [];
    const plugins = items(root, [...path, "plugins"], problems).flatMap((item) => {
      const plugin = decode(profilePluginSpec, item.node, item.path, problems);
      return plugin ? [{ ...plugin, path: item.path }] : [];
    });
    return [{ name: spec.name, plugins, path }];
  });
}

/** Entries of a list; null and nothing are an empty one. */
function items(root: ConfigMap, path: ConfigPath, problems: ProblemList) {
  let list: ConfigNode | undefined = root;
  for (const step of path) list = childOf(list, step);
  if (!list || (list.kind === "scalar" && list.value === null)) return [];
  if (list.kind === "list") return list.items.map((node, i) => ({ node, path: [...path, i] }));
  problems.at(list.place, path, `found ${describeNode(list)}, expected a list`);
  return [];
}

/** A section; what it is without a word in the config when it is missing or broken. */
function section<T>(root: ConfigMap, key: string, schema: z.ZodType<T>, problems: ProblemList): T {
  const node = childOf(root, key);
  const given = node && !(node.kind === "scalar" && node.value === null);
  return (given ? decode(schema, node, [key], problems) : undefined) ?? schema.parse({});
}
