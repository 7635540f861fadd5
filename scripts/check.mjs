/** The gate: format, types, lint, layer rules, unused code, unit tests. Runs them side by side and prints what failed. */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** Of a failed step's output, its end. */
const LINES_SHOWN = 120;
const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => `${root}node_modules/.bin/${name}`;

const steps = [
  ["unit tests", bin("vitest"), ["run", "--project", "unit", "--silent=passed-only", "--maxWorkers=100%"]],
  ["types", bin("tsc"), ["-p", "tsconfig.json"]],
  ["types of pure code", bin("tsc"), ["-p", "tsconfig.pure.json"]],
  ["lint", bin("oxlint"), ["--deny-warnings"]],
  ["proto lint", bin("buf"), ["lint"]],
  ["proto format", bin("buf"), ["format", "-d", "--exit-code"]],
  ["layers", process.execPath, ["scripts/check-layers.mjs"]],
  ["unused code", bin("knip"), ["--no-progress"]],
  ["format", bin("prettier"), ["--check", "--log-level", "warn", "."]],
];

const run = ([name, command, args]) =>
  new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("error", (error) => resolve({ name, failed: true, output: String(error) }));
    child.once("exit", (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
      resolve({ name, failed: code !== 0, output });
    });
  });

const queue = [...steps];
const results = [];
const worker = async () => {
  for (let step = queue.shift(); step; step = queue.shift()) results.push(await run(step));
};
await Promise.all(Array.from({ length: Math.min(availableParallelism(), steps.length) }, worker));
const failed = results.filter((r) => r.failed);
for (const { name, output } of failed)
  console.error(`\n--- ${name} ---\n${output.trim().split("\n").slice(-LINES_SHOWN).join("\n")}`);
process.exit(failed.length ? 1 : 0);
