import { parseAllDocuments } from "yaml";
import type { ConfigSource } from "../core/events.ts";
import { readBlueprint } from "./blueprint.ts";
import { ConfigError, ProblemList } from "./config-error.ts";
import type { ConfigMap, ConfigNode } from "./config-node.ts";
import { newestForm } from "./migrate-forms.ts";
import { rewriteYaml, writeOutAliases } from "./migrate-yaml.ts";
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
  const isJson = text.trimStart().startsWith("{");
  const migrated = isJson
    ? writeJson(text, newest)
    : (writeYaml(text, root, newest) ?? writeYaml(text, root, newest, true));
  if (migrated === undefined) throw new Error(`Cannot migrate ${file}: it can't be written anew with the same meaning`);
  if (planText({ text: migrated, options }) !== planText({ text, options })) {
    throw new Error(`Cannot migrate ${file}: the newest form would give another plan`);
  }
  return { text: migrated, changes: before.warnings };
}

function writeJson(text: string, root: ConfigMap): string {
  const indent = /^\{\s*\n([ \t]+)/.exec(text.trimStart())?.[1];
  return `${JSON.stringify(plain(root), undefined, indent)}${text.endsWith("\n") ? "\n" : ""}`;
}

/**
 * The first document anew; what follows it is none of a config, and stays. With `withoutAliases` aliases are written out,
 * as an anchor may have gone or moved behind them. Undefined when the new text does not say what it should.
 */
function writeYaml(text: string, before: ConfigMap, after: ConfigMap, withoutAliases = false): string | undefined {
  const documents = parseAllDocuments(text, YAML_OPTIONS);
  const [document] = Array.isArray(documents) ? documents : [];
  if (!document) return undefined;
  const end = document.range[2];
  if (withoutAliases) writeOutAliases(document);
  rewriteYaml(document, before, after);
  const unix = text.replaceAll("\r\n", "\n");
  try {
    const written = document.toString({
      lineWidth: 0,
      indentSeq: !/^( *)(?:- )?[^\s#-][^#\n]*:[ \t]*(?:#.*)?\n\1- /m.test(unix),
      flowCollectionPadding: !/[{[][^\s\]}]/.test(unix) || /[{[] \S/.test(unix),
    });
    const migrated = (unix === text ? written : written.replaceAll("\n", "\r\n")) + text.slice(end);
    return says(migrated, after) ? migrated : undefined;
  } catch {
    // An alias without an anchor before it.
    return undefined;
  }
}

/** Whether a text says what a tree says, and nothing in it is old. */
function says(text: string, tree: ConfigMap): boolean {
  const read = readConfig(text, new ProblemList());
  return read !== undefined && sameNodes(read, tree) && sameNodes(newestForm(read), read);
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
