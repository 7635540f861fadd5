/**
 * Prints those lines of a golden family that use only what is built: `node scripts/golden-cases.mjs FILE`.
 * What is left out, and why, goes to standard error.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Plugin types and request paths of recorded cases that a later issue builds. */
const unbuilt = JSON.parse(readFileSync(new URL("../test/golden/unbuilt.json", import.meta.url), "utf8"));

/** Undefined when the case can be played; else what it needs. */
function missingFor(testCase) {
  const need = unbuilt.cases[testCase.id];
  if (need) return need;
  const type = unbuilt.types.find((name) => new RegExp(`type: *"?${name}\\b`).test(testCase.config));
  if (type) return type;
  for (const { message } of testCase.steps) {
    const path = message?.request_headers?.headers.find(([key]) => key === ":path")?.[1];
    if (unbuilt.paths.includes(path)) return path;
  }
  return undefined;
}

/** The cases of a family file, gzipped or not. */
function readCases(file) {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const left = new Map();
for (const entry of readCases(process.argv[2])) {
  const missing = missingFor(entry.case);
  if (missing) left.set(missing, [...(left.get(missing) ?? []), entry.case.id]);
  else process.stdout.write(`${JSON.stringify(entry)}\n`);
}
for (const [missing, ids] of left) process.stderr.write(`left out, ${missing} is not built: ${ids.join(" ")}\n`);
