/**
 * Prints those lines of a golden family that use only what is built: `node scripts/golden-cases.mjs FILE`.
 * What is left out, and why, goes to standard error.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { pathToFileURL } from "node:url";

/** Plugin types in a recorded case that a later issue builds. */
export const UNBUILT_TYPES = [];
/** Request paths whose parser a later issue builds. */
export const UNBUILT_PATHS = [];

/** Undefined when the case can be played; else what it needs. */
export function missingFor(testCase) {
  const type = UNBUILT_TYPES.find((name) => new RegExp(`type: *"?${name}\\b`).test(testCase.config));
  if (type) return type;
  for (const { message } of testCase.steps) {
    const path = message?.request_headers?.headers.find(([key]) => key === ":path")?.[1];
    if (UNBUILT_PATHS.includes(path)) return path;
  }
  return undefined;
}

/** The cases of a family file, gzipped or not. */
export function readCases(file) {
  const bytes = readFileSync(file);
  const text = (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const left = new Map();
  for (const entry of readCases(process.argv[2])) {
    const missing = missingFor(entry.case);
    if (missing) left.set(missing, [...(left.get(missing) ?? []), entry.case.id]);
    else process.stdout.write(`${JSON.stringify(entry)}\n`);
  }
  for (const [missing, ids] of left) process.stderr.write(`left out, ${missing} is not built: ${ids.join(" ")}\n`);
}
