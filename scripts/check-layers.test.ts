import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("check-layers.mjs", import.meta.url));
const made: string[] = [];
afterEach(() => made.splice(0).forEach((dir) => rmSync(dir, { recursive: true })));

function check(files: Record<string, string>, filesMin = "1") {
  const root = mkdtempSync(join(tmpdir(), "layers-"));
  made.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, "src", path)), { recursive: true });
    writeFileSync(join(root, "src", path), text);
  }
  const run = spawnSync(process.execPath, [script, root], {
    encoding: "utf8",
    env: { ...process.env, LAYERS_FILES_MIN: filesMin },
  });
  return { status: run.status, said: run.stderr };
}

describe("the layer check", () => {
  it.each([
    [
      "core",
      "src/core imports node:fs",
      'import { readFileSync } from "node:fs";\nexport const x = readFileSync;',
      /pure code may not import "node:fs"/,
    ],
    [
      "core",
      "src/core calls Date.now()",
      "export const now = () => Date.now();",
      /src\/core\/bad\.ts:1: pure code may not use Date/,
    ],
    ["core", "src/core draws by Math.random()", "export const u = () => Math.random();", /Math\.random/],
    ["core", "src/core raises to a fraction", "export const u = (x: number) => x ** 0.5;", /\*\*/],
    ["core", "src/core waits", "export const f = async (p: Promise<void>) => { await p; };", /await/],
    ["core", "src/core loads a module at run time", 'export const f = () => import("./other.ts");', /at run time/],
    [
      "core",
      "src/core imports a plugin",
      'export * from "../plugins/list.ts";',
      /core may not import plugins\/list\.ts/,
    ],
    [
      "protocol",
      "src/protocol imports the server",
      'import type { X } from "../server/x.ts";\nexport type Y = X;',
      /protocol may not import server\/x\.ts/,
    ],
    ["plugins", "a plugin sets a timer", "export const f = () => setTimeout(() => {}, 1);", /setTimeout/],
    ["config", "config reads the environment", "export const f = () => process.env.X;", /process/],
  ])("fails when a file in %s breaks a rule: %s", (layer, _what, text, message) => {
    const { status, said } = check({ [`${layer}/bad.ts`]: text });
    expect(said).toMatch(message);
    expect(status).toBe(1);
  });

  it("passes files that keep the rules, and members that only share a forbidden name", () => {
    const files = {
      "core/a.ts": "export const a = { process: 1, Date: 2 };\nexport const b = a.process + Math.floor(a.Date);",
      "server/b.ts": 'import "node:fs";\nimport { a } from "../core/a.ts";\nexport const c = [a, Date.now()];',
      "core/a.test.ts": "export const t = Date.now();",
    };
    expect(check(files)).toEqual({ status: 0, said: "" });
  });

  it("fails when it saw fewer files than it should", () => {
    const { status, said } = check({ "core/a.ts": "export const a = 1;" }, "60");
    expect(said).toMatch(/found 1 files, expected at least 60/);
    expect(status).toBe(1);
  });

  it("fails on a file that belongs to no layer", () => {
    expect(check({ "utils/a.ts": "export const a = 1;" }).said).toMatch(/belongs to no layer/);
  });
});
