import { parseAllDocuments } from "yaml";
import type { ConfigSource } from "../core/events.ts";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError, ProblemList } from "./config-error.ts";
import type { ConfigMap, ConfigNode } from "./config-node.ts";
import { newestForm } from "./migrate-forms.ts";
import { rewriteYaml } from "./migrate-yaml.ts";
import { planReport } from "./plan-report.ts";
import { readConfig, YAML_OPTIONS } from "./read-config.ts";

/** A config in the newest form. */
export interface Migration {
  /** The very text when nothing in it is old. */
  readonly text: string;
  /** What was old, one line each, with its place. */
  readonly changes: readonly string[];
}

/**
 * Writes a config anew in the newest form: comments and order stay, and so does the plan, which is made before and after
 * to be sure. Migrating the result changes nothing. Throws a ConfigError for a config that gives no plan, and an Error
 * for one that can't be written anew with the same meaning.
 */
export function migrateConfig(text: string, file: string): Migration {
  const problems = new ProblemList();
  const root = readConfig(text, problems);
  if (problems.problems.length > 0) throw new ConfigError(file, problems.problems);
  const options = { "config-file": file, "allow-experimental-plugins": true };
  const before = readBlueprint({ text, options });
  if (!root) return { text, changes: [] };
  const newest = newestForm(root);
  if (sameNodes(newest, root)) return { text, changes: [] };
  const migrated = text.trimStart().startsWith("{") ? writeJson(text, newest) : writeYaml(text, root, newest);
  const again = readConfig(migrated, problems);
  const lost = `Cannot migrate ${file}: found anchors, aliases or merge keys in what is old, expected them written out`;
  if (!again || !sameNodes(again, newest) || !sameNodes(newestForm(again), again)) throw new Error(lost);
  if (planText({ text: migrated, options }) !== planText({ text, options })) {
    throw new Error(`Cannot migrate ${file}: the newest form would give another plan`);
  }
  return { text: migrated, changes: before.warnings };
}

function writeJson(text: string, root: ConfigMap): string {
  const indent = /^\{\s*\n([ \t]+)/.exec(text.trimStart())?.[1];
  return `${JSON.stringify(plain(root), undefined, indent)}${text.endsWith("\n") ? "\n" : ""}`;
}

/** The first document anew; what follows it is none of a config, and stays. */
function writeYaml(text: string, before: ConfigMap, after: ConfigMap): string {
  const documents = parseAllDocuments(text, YAML_OPTIONS);
  const [document] = Array.isArray(documents) ? documents : [];
  if (!document) return text;
  const end = document.range[2];
  rewriteYaml(document, before, after);
  const written = document.toString({
    lineWidth: 0,
    indentSeq: !/^( *)(?:- )?[^\s#-][^#\n]*:[ \t]*(?:#.*)?\n\1- /m.test(text),
    flowCollectionPadding: !/[{[][^\s\]}]/.test(text) || /[{[] \S/.test(text),
  });
  return written + text.slice(end);
}

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

function plain(node: ConfigNode): Plain {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

/** Whether two trees say the same; the order of keys does not count. */
function sameNodes(a: ConfigNode, b: ConfigNode): boolean {
  return JSON.stringify(sorted(plain(a))) === JSON.stringify(sorted(plain(b)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}

/** A plan without what tells where its parts stand and who declared them: equal for equal plans. */
export function planText(source: ConfigSource): string {
  const { plugins, ...rest } = planReport(readBlueprint(source));
  const bare = plugins.map(({ name, type, parameters }) => ({ name, type, parameters }));
  return JSON.stringify(sorted({ ...rest, plugins: bare }), undefined, 1);
}
