/**
 * The reference pages and the JSON Schema, made from what the program itself reads with: the flag table, the schemas of
 * the config, the plugin definitions and the doc comments above them. Pure but for `purposes`, which reads sources.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";

const NOTE = "<!-- Made by scripts/docs-reference.mjs; change the source it names, not this page. -->";

/**
 * Every page by its file name, as prettier formats it.
 * @param modules what src/config and src/plugins export, and `purposes` by plugin type
 */
export async function referencePages({ flags, plugins, jsonSchema, defaultConfig, purposes, example, metrics }) {
  const pages = {
    "flags.md": flagsPage(flags),
    "config.md": configPage(jsonSchema.configJsonSchema(), defaultConfig),
    "plugins.md": pluginsPage(plugins, purposes),
    "metrics.md": metricsPage(metrics),
    "endpoint-picker-config.schema.json": JSON.stringify(jsonSchema.configJsonSchema()),
  };
  for (const plugin of plugins) {
    pages[`plugins/${plugin.type}.md`] = pluginPage(plugin, jsonSchema, purposes, example);
  }
  const made = {};
  for (const [name, text] of Object.entries(pages)) {
    const filepath = join("docs/reference", name);
    made[name] = await format(text, { ...(await resolveConfig(filepath)), filepath });
  }
  return made;
}

/**
 * The doc comment of every plugin that src/plugins/list.ts imports, by type. `load` gives the module of an import there.
 */
export async function purposes(root, load) {
  const folder = join(root, "src/plugins");
  const imports = readFileSync(join(folder, "list.ts"), "utf8").matchAll(/^import \{([^}]*)\} from "([^"]+)"/gm);
  const docs = {};
  for (const [, names, from] of imports) {
    const module = await load(from);
    const text = readFileSync(join(folder, from), "utf8");
    for (const name of names.split(",").map((one) => one.trim())) {
      const doc = docOf(name, text);
      for (const { type } of [module[name]].flat()) if (type !== undefined && doc) docs[type] = doc;
    }
  }
  return docs;
}

/** The doc comment above an exported constant; undefined when it has none. */
function docOf(name, text) {
  const at = text.indexOf(`export const ${name}`);
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text.slice(0, Math.max(0, at)))?.[1];
  return comment?.replaceAll(/^\s*\* ?/gm, "").trim();
}

function flagsPage({ EPP_FLAG_GROUPS, OLD_FLAG_GROUP, TRANSLATED_FLAGS, RETIRED_FLAGS }) {
  const groups = Object.entries(EPP_FLAG_GROUPS).map(
    ([title, group]) => `## ${title}\n\n${flagTable(Object.values(group))}`,
  );
  const translated = [...TRANSLATED_FLAGS.values()].map(({ flag, becomes }) => [code(`--${flag.name}`), becomes]);
  const retired = [...RETIRED_FLAGS.values()].map(({ flag, why }) => [code(`--${flag.name}`), `no effect: ${why}`]);
  return `${NOTE}

# Flags of warmpath epp

Source: \`src/config/epp-flag-table.ts\` and \`src/config/old-flags.ts\`.

A flag is written \`--name value\` or \`--name=value\`; a switch alone means true and takes its value behind \`=\` only.
The last use counts. Spellings of older releases are taken too, with a warning: one dash, camelCase. An unknown flag is
passed over with a warning. \`--strict-config\` refuses both, as today's stock EPP does.

${groups.join("\n\n")}

## Of older releases

${flagTable(Object.values(OLD_FLAG_GROUP))}

| flag | today |
| --- | --- |
${rows([...translated, ...retired])}
`;
}

const flagTable = (flags) => `| flag | takes | default | meaning |
| --- | --- | --- | --- |
${rows(
  flags.map((flag) => [
    code(`${flag.short ? `-${flag.short}, ` : ""}--${flag.name}`),
    flag.expects,
    flag.defaultText === "" ? "" : code(flag.defaultText),
    flag.help,
  ]),
)}`;

function configPage(schema, defaultConfig) {
  const top = Object.entries(schema.properties);
  const sections = top.flatMap(([name, part]) => {
    const fields = part.type?.includes("array") ? part.items : part;
    if (!fields.properties) return [];
    return [`## ${name}\n\n${part.description}\n\n${fieldTable(fields)}`];
  });
  return `${NOTE}

# EndpointPickerConfig

Source: \`src/config/config-schema.ts\`. The same as a JSON Schema for editors:
[endpoint-picker-config.schema.json](endpoint-picker-config.schema.json). In VS Code with the YAML extension, the first
line of a config names it: \`# yaml-language-server: $schema=endpoint-picker-config.schema.json\`.

A config is YAML or JSON. Every key may be left out, also \`apiVersion\` and \`kind\`; an unknown one is an error.
\`warmpath check FILE\` shows what a config comes to, \`warmpath migrate FILE\` brings one of an older release into this form.
Parameters of plugin types are in [plugins.md](plugins.md).

| key | takes | meaning |
| --- | --- | --- |
${rows(top.map(([name, part]) => [code(name), takes(part), part.description ?? ""]))}

${sections.join("\n\n")}

## Without a config

The picker then works with this one:

\`\`\`yaml
${defaultConfig.trimEnd()}
\`\`\`
`;
}

const POINT_TITLES = {
  filter: "Filters",
  scorer: "Scorers",
  picker: "Pickers",
  profileHandler: "Profile handlers",
  producer: "Data producers",
  screener: "Screeners",
  admitter: "Admitters",
  saturationDetector: "Saturation detectors",
  fairnessPolicy: "Fairness policies",
  orderingPolicy: "Ordering policies",
  usageLimitPolicy: "Usage limit policies",
  evictionPolicy: "Eviction policies",
  decider: "Deciders",
  requestControl: "Request control",
  parser: "Parsers",
  dataSource: "Data sources",
  extractor: "Extractors",
  discovery: "Endpoint discovery",
};

function metricsPage(entries) {
  const section = (title, has) => {
    const lines = entries
      .filter(({ name }) => has(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, olderName, type, labels, buckets, help }) => [
        code(name) + (olderName ? ` ${code(olderName)}` : ""),
        type,
        labels.map(code).join(" "),
        escaped(help) + (buckets ? ` Buckets ${code(bounds(buckets))}.` : ""),
      ]);
    return `## ${title}\n\n| family, older name | type | labels | what |\n| --- | --- | --- | --- |\n${rows(lines)}`;
  };
  const isOwn = (name) => name.startsWith("warmpath_");
  const sections = [section("Under the stock EPP's names", (name) => !isOwn(name)), section("Of our own", isOwn)];
  return `${NOTE}

# Metrics

Source: \`src/observability/\`, and \`src/plugins/{counters,gauges,histograms}.ts\`. \`GET /metrics\` on \`--metrics-port\`.

A family with an older name is told under both; the older one has fewer labels where the stock EPP's has. Model and
fairness labels have at most 1000 values, a family at most 1000 rows; further ones count as \`other\`. Node's own
\`process_*\` and \`nodejs_*\` families are on the page, too. Dashboards and alerts over these: \`deploy/monitoring\`.

${sections.join("\n\n")}
`;
}

const bounds = (buckets) =>
  buckets.length <= 8 ? buckets.join(" ") : `${buckets.slice(0, 3).join(" ")} ... ${buckets.at(-1)}`;

function pluginsPage(list, docs) {
  const sections = Object.entries(POINT_TITLES).flatMap(([point, title]) => {
    const own = list.filter(({ points }) => points[0] === point);
    if (own.length === 0) return [];
    const lines = own.map(({ type, gone, stability = gone ? "older" : "beta" }) => [
      `[${type}](plugins/${type}.md)`,
      stability === "beta" ? "" : stability,
      escaped(firstSentence(docOfType(docs, type))),
    ]);
    return [`## ${title}\n\n| type | | purpose |\n| --- | --- | --- |\n${rows(lines)}`];
  });
  const placed = list.filter(({ points }) => points[0] in POINT_TITLES).length;
  if (placed !== list.length) throw new Error(`Cannot make the plugin page: found ${list.length - placed} of no title`);
  return `${NOTE}

# Plugin types

Source: \`src/plugins/list.ts\`, and the file of each type. A type that the stock EPP has and that is not here is
known to \`warmpath check\` and not built yet.

Keys of parameters match without regard to case. Data is named \`kind/name of its producer\`; a producer that is
required and not declared is made where there is a default one.

${sections.join("\n\n")}
`;
}

function pluginPage(plugin, { parametersSchema }, docs, example) {
  const { type, aliases = [], stability = "beta", replacedBy, gone, points } = plugin;
  const about = [`Stability: ${stability}${stability === "alpha" ? ", needs `--allow-experimental-plugins`" : ""}.`];
  if (gone) about[0] = `Today's stock EPP has it no longer: ${gone}. \`--strict-config\` refuses it.`;
  if (replacedBy) about.push(`Today: [${replacedBy}](${replacedBy}.md).`);
  if (aliases.length > 0) about.push(`Older names: ${aliases.map(code).join(", ")}.`);
  if (points.length > 1) about.push(`Works as ${points.map((point) => POINT_TITLES[point].toLowerCase()).join(", ")}.`);
  const schema = parametersSchema(plugin);
  const parameters = plugin.ignoresParams
    ? "None; what is given is ignored."
    : Object.keys(schema.properties ?? {}).length === 0
      ? "None."
      : fieldTable(schema);
  const data = dataText(plugin);
  return [
    NOTE,
    `# ${type}`,
    escaped(docOfType(docs, type)),
    about.join(" "),
    `## Parameters\n\n${parameters}`,
    data && `## Data\n\n${data}`,
    `## Example\n\n\`\`\`yaml\n${example(plugin)}\`\`\``,
  ]
    .filter(Boolean)
    .join("\n\n");
}

function docOfType(docs, type) {
  if (docs[type] === undefined) throw new Error(`Cannot describe ${type}: found no doc comment above it`);
  return docs[type];
}

const firstSentence = (text) => /^[\s\S]*?\.(?=\s|$)/.exec(text)[0].replaceAll(/\s+/g, " ");

/** Data of the type with default parameters, under its own name; nothing for one whose parameters have no defaults. */
function dataText({ type, params, data }) {
  const defaults = params.safeParse({});
  const { requires = [], wants = [], produces = [] } = (defaults.success && data?.(defaults.data, type)) || {};
  const lines = [
    ["Requires", requires],
    ["Uses when there", wants],
    ["Produces", produces],
  ].flatMap(([what, keys]) => (keys.length > 0 ? [`- ${what}: ${keys.map(({ id }) => code(id)).join(", ")}`] : []));
  return lines.join("\n");
}

const fieldTable = (schema) => `| key | takes | default | meaning |
| --- | --- | --- | --- |
${rows(fieldsOf(schema, ""))}`;

/** Rows of a schema's properties, nested ones after their parent under a dotted name. */
function fieldsOf(schema, prefix) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const path = `${prefix}${name}`;
    const row = [
      code(path),
      takes(part),
      required.has(name) ? "required" : defaultText(part.default),
      part.description ?? "",
    ];
    const inner = part.type === "array" ? { part: part.items, at: `${path}[].` } : { part, at: `${path}.` };
    return [row, ...fieldsOf(inner.part ?? {}, inner.at)];
  });
}

function defaultText(value) {
  if (value === undefined || value === "") return "";
  return typeof value === "object" ? (Object.keys(value).length === 0 ? "" : code(JSON.stringify(value))) : code(value);
}

const TYPES = { string: "text", integer: "whole number", number: "number", boolean: "true or false", object: "map" };

/** What a part of a schema takes, with its limits. */
function takes(part) {
  if (part.const !== undefined) return code(part.const);
  if (part.enum && part.enum.length <= 8) return part.enum.filter(Boolean).map(code).join(", ");
  if (part.anyOf) return [...new Set(part.anyOf.map(takes))].join(" or ");
  const types = (Array.isArray(part.type) ? part.type : [part.type]).filter((one) => one !== "null");
  if (types.length > 1) return types.map((one) => takes({ ...part, type: one })).join(" or ");
  const [type] = types;
  if (type === "array")
    return `list of ${plural(part.items ?? {})}${part.minItems ? `, at least ${part.minItems}` : ""}`;
  const limits = [
    part.minimum === undefined ? "" : `from ${part.minimum}`,
    part.exclusiveMinimum === undefined ? "" : `above ${part.exclusiveMinimum}`,
    part.maximum === undefined ? "" : `to ${part.maximum}`,
    part.exclusiveMaximum === undefined ? "" : `below ${part.exclusiveMaximum}`,
    part.minLength > 0 ? "not empty" : "",
  ].filter(Boolean);
  return [TYPES[type] ?? "any value", limits.join(" ")].filter(Boolean).join(", ");
}

function plural(items) {
  const type = Array.isArray(items.type) ? items.type[0] : items.type;
  return { string: "texts", integer: "whole numbers", number: "numbers", object: "maps" }[type] ?? "values";
}

const code = (text) => `\`${text}\``;
const escaped = (text) => text.replaceAll("<", "\\<").replaceAll(/(?<![`\w])\*(?=\w)|(?<= )\*(?= )/g, "\\*");
const cell = (text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ");
const rows = (lines) => lines.map((line) => `| ${line.map(cell).join(" | ")} |`).join("\n");
