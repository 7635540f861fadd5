import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCommand } from "../support/command.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = await readFile(join(root, "docs/write-a-plugin.md"), "utf8");
const run = promisify(execFile);

/** What a checkout needs so that its unit tests and its build run. */
const COPIED = ["package.json", "tsconfig.base.json", "tsconfig.build.json", "tsconfig.json", "vitest.config.ts"];
const FOLDERS = ["src", "scripts", "proto", "docs", "test/support"];

const blocksOf = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block]) => block);

/** The files that the page names above a block that is their text. */
const filesOf = (): readonly (readonly [path: string, text: string])[] =>
  [...page.matchAll(/^`(src\/[\w./-]+)`:\n\n```ts\n([\s\S]*?)```/gm)].map(([, path, text]) => [path, text]);

async function checkout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "write-a-plugin-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const name of [...COPIED, ...FOLDERS]) await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Adds the page's import and its line to the list of plugins. */
async function enlist(folder: string): Promise<void> {
  const [importLine, line] = blocksOf("ts").slice(-2);
  const path = join(folder, "src/plugins/list.ts");
  const list = await readFile(path, "utf8");
  const [before, after] = list.split("export const PLUGINS: readonly PluginDefinition[] = [\n");
  expect(after).toBeDefined();
  await writeFile(path, `${importLine}${before}export const PLUGINS: readonly PluginDefinition[] = [\n${line}${after}`);
}

describe("docs/write-a-plugin.md", () => {
  it("leads to a scorer that passes its tests, has a reference page, and serves", async () => {
    const folder = await checkout();
    const files = filesOf();
    expect(files.map(([path]) => path)).toEqual([
      "src/plugins/scorers/free-blocks-scorer.ts",
      "src/plugins/scorers/free-blocks-scorer.test.ts",
    ]);
    for (const [path, text] of files) await writeFile(join(folder, path), text);
    await enlist(folder);

    const inCheckout = { cwd: folder, maxBuffer: 64 << 20 };
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const named = ["src/plugins/scorers", "src/plugins/list", "src/config/plugin-example"];
    const tested = await run(process.execPath, [vitest, "run", "--project", "unit", ...named], inCheckout);
    expect(tested.stdout).toContain("free-blocks-scorer.test.ts");

    await run(process.execPath, ["scripts/build.mjs"], inCheckout);
    await run(process.execPath, ["scripts/docs-reference.mjs"], inCheckout);
    const reference = await readFile(join(folder, "docs/reference/plugins/free-blocks-scorer.md"), "utf8");
    expect(reference).toContain("Prefers the endpoint with the most free KV blocks.");
    expect(reference).toContain("reservedBlocks: 100");

    const config = join(folder, "config.yaml");
    await writeFile(config, blocksOf("yaml").at(-1)!);
    const main = join(folder, "dist/cli/main.js");
    const checked = await run(process.execPath, [main, "check", config, "--json"], inCheckout);
    expect(checked.stdout).toContain('"reservedBlocks": 100');
    const endpoints = join(folder, "endpoints.yaml");
    const pods = ["--count", "2", "--base-port", "0", "--time-scale", "0", "--write-endpoints", endpoints];
    await startCommand(["pods", ...pods], {}, main).line("pods are ready");
    const gateway = startCommand(
      ["gateway", "--endpoints", endpoints, "--config-file", config, "--port", "0"],
      {},
      main,
    );
    const { port } = JSON.parse(await gateway.line('"serving"')) as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "Qwen3-0.6B", prompt: "Once", max_tokens: 4 }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ usage: { completion_tokens: 4 } });
  });
});
