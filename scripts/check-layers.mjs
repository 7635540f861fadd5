/**
 * Holds the layer rules of docs/architecture.md: who may import whom, and that pure code
 * knows no time, chance, IO or waiting. `node scripts/check-layers.mjs [ROOT]`; exit status 1 with one line a breach.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";

const root = resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)));
const src = join(root, "src");

/** Layer of a file, by its path under src/: the longest matching prefix counts. */
const LAYERS = {
  core: { pure: true, may: ["core"] },
  plugins: { pure: true, may: ["core", "plugins"] },
  config: { pure: true, may: ["core", "plugins", "config"] },
  protocol: { pure: true, may: ["core", "protocol"] },
  "simulator/engine": { pure: true, may: ["core", "plugins", "config", "simulator/engine", "simulator/workloads"] },
  "simulator/workloads": { pure: true, may: ["core", "plugins", "config", "simulator/engine", "simulator/workloads"] },
  simulator: {
    pure: false,
    may: ["core", "plugins", "config", "simulator", "simulator/engine", "simulator/workloads"],
  },
  server: { pure: false, may: "any" },
  datalayer: { pure: false, may: "any" },
  observability: { pure: false, may: "any" },
  cli: { pure: false, may: "any" },
};
/** Packages that do no IO and keep no time of their own. */
const PURE_PACKAGES = new Set(["zod", "yaml", "lru-cache", "@marcbachmann/cel-js"]);
/** What pure code may not name: they are ways to time, chance, IO or another thread. */
const FORBIDDEN_GLOBALS = new Set([
  "Date",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "process",
  "Buffer",
  "console",
  "fetch",
  "crypto",
  "require",
  "globalThis",
  "WebSocket",
  "Worker",
  "navigator",
  "WebAssembly",
  "Atomics",
  "SharedArrayBuffer",
]);
/** Members whose result differs between engines or runs; src/core/stable-math.ts is the one door. */
const FORBIDDEN_MATH = new Set([
  "random",
  "pow",
  "exp",
  "log",
  "log2",
  "log10",
  "log1p",
  "expm1",
  "sin",
  "cos",
  "tan",
  "cbrt",
  "hypot",
]);
const MATH_DOOR = "core/stable-math.ts";
/** Fewer than these means that the check looked at the wrong place. */
const FILES_MIN = Number(process.env.LAYERS_FILES_MIN ?? 60);

const layerOf = (path) =>
  Object.keys(LAYERS)
    .filter((name) => path.startsWith(`${name}/`))
    .sort((a, b) => b.length - a.length)[0];

const breaches = [];
let seen = 0;
for (const entry of readdirSync(src, { recursive: true, encoding: "utf8" })) {
  const path = entry.split(sep).join("/");
  if (!path.endsWith(".ts") || path.endsWith(".d.ts")) continue;
  const isTest = path.endsWith(".test.ts") || path.includes("test-support/");
  seen++;
  check(path, isTest);
}
if (seen < FILES_MIN)
  breaches.push(`src: found ${seen} files, expected at least ${FILES_MIN}: looking at the wrong folder?`);
for (const breach of breaches) console.error(breach);
console.log(`${seen} files, ${breaches.length} breaches`);
process.exit(breaches.length ? 1 : 0);

function check(path, isTest) {
  const layer = layerOf(path);
  const text = readFileSync(join(src, path), "utf8");
  const { program, module, errors } = parseSync(path, text);
  const at = (offset) => `src/${path}:${text.slice(0, offset).split("\n").length}`;
  if (errors.length) breaches.push(`src/${path}: cannot parse: ${errors[0].message}`);
  if (!layer) {
    breaches.push(`src/${path}: belongs to no layer; known: ${Object.keys(LAYERS).join(", ")}`);
    return;
  }
  if (isTest) return;
  const rules = LAYERS[layer];
  const imports = [
    ...module.staticImports.map((i) => [i.moduleRequest.value, i.start]),
    ...module.staticExports.flatMap((e) =>
      e.entries.filter((x) => x.moduleRequest).map((x) => [x.moduleRequest.value, x.start]),
    ),
  ];
  for (const [target, offset] of imports) checkImport(path, rules, target, at(offset));
  if (module.dynamicImports.length && rules.pure)
    breaches.push(`${at(module.dynamicImports[0].start)}: pure code loads a module at run time`);
  if (rules.pure) checkPurity(path, program, at);
}

function checkImport(path, rules, target, where) {
  if (target.startsWith(".")) {
    const file = relative(src, resolve(src, dirname(path), target))
      .split(sep)
      .join("/");
    const to = layerOf(file);
    if (rules.may !== "any" && !rules.may.includes(to))
      breaches.push(`${where}: ${path.split("/")[0]} may not import ${file}`);
  } else if (rules.pure) {
    const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : target.split("/")[0];
    if (!PURE_PACKAGES.has(name)) breaches.push(`${where}: pure code may not import "${target}"`);
  }
}

function checkPurity(path, program, at) {
  const breach = (node, what) => breaches.push(`${at(node.start)}: pure code may not use ${what}`);
  const skip = new Set();
  new Visitor({
    MemberExpression(node) {
      if (!node.computed) skip.add(node.property);
      if (node.object.type === "Identifier" && node.object.name === "Math" && path !== MATH_DOOR) {
        const name = node.computed ? undefined : node.property.name;
        if (name === undefined || FORBIDDEN_MATH.has(name))
          breach(node, `Math.${name ?? "[computed]"} (see src/${MATH_DOOR})`);
      }
    },
    Property(node) {
      if (!node.computed && !node.shorthand) skip.add(node.key);
    },
    PropertyDefinition(node) {
      skip.add(node.key);
    },
    MethodDefinition(node) {
      skip.add(node.key);
    },
    TSPropertySignature(node) {
      skip.add(node.key);
    },
    TSMethodSignature(node) {
      skip.add(node.key);
    },
    BinaryExpression(node) {
      if (node.operator === "**") breach(node, `** (see src/${MATH_DOOR})`);
    },
    AwaitExpression(node) {
      breach(node, "await");
    },
    ForOfStatement(node) {
      if (node.await) breach(node, "for await");
    },
    Identifier(node) {
      if (!skip.has(node) && FORBIDDEN_GLOBALS.has(node.name)) breach(node, node.name);
    },
  }).visit(program);
}
