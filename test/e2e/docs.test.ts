import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCommand } from "../support/command.ts";
import { freePorts } from "../support/free-ports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((f) => f.endsWith(".md"))
    .map((f) => `docs/${f}`),
];
const readme = readFileSync(join(root, "README.md"), "utf8");

/** Command lines in the shell blocks of a page. */
const commandsOf = (text: string): string[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block
      .replaceAll("\\\n", " ")
      .split("\n")
      .map((line) => line.replace(/ +#.*$/, "").trim())
      .filter(Boolean),
  );

describe("the README", () => {
  it("has the two commands on its first screen, and they are the project's scripts", () => {
    const top = readme.split("\n").slice(0, 25).join("\n");
    expect(top).toContain("npm ci && npm run demo");
    expect(top).toContain("npm ci && npm test");
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: object };
    const named = pages.flatMap((page) =>
      [...readFileSync(join(root, page), "utf8").matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name),
    );
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("shows a pool that works as it is written", async () => {
    const folder = mkdtempSync(join(tmpdir(), "warmpath-readme-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const [first, gatewayPort] = await freePorts(2);
    const ours = (line: string) =>
      line
        .replaceAll("endpoints.yaml", join(folder, "endpoints.yaml"))
        .replace("8100", String(first))
        .replace("8080", String(gatewayPort));
    const [pods, gateway] = commandsOf(readme)
      .filter((line) => line.startsWith("node dist/cli/main.js"))
      .map((line) => ours(line).split(" ").slice(2));
    const curl = ours(commandsOf(readme).find((line) => line.startsWith("curl "))!);
    // Four ports in a row may not be free: any will do here.
    await startCommand(pods.map((word) => (word === String(first) ? "0" : word))).line("pods are ready");
    await startCommand(gateway).line("serving");
    const { stdout } = await promisify(execFile)("bash", ["-c", curl.replace("curl", "curl -s")]);
    expect(JSON.parse(stdout)).toMatchObject({
      object: "text_completion",
      model: "Qwen3-0.6B",
      usage: { completion_tokens: 16 },
    });
  });
});

describe("the pages", () => {
  it.each(pages)("%s names only files that exist", (page) => {
    // A file whose text stands below its name is one that the reader makes.
    const text = readFileSync(join(root, page), "utf8").replaceAll(/^`[\w./-]+`:\n\n```ts$/gm, "```ts");
    const folder = page.startsWith("docs/") ? "docs" : ".";
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => join(folder, target));
    const named = [
      ...text.matchAll(
        /`((?:src|test|scripts|bench|proto|docs|core|server|protocol|plugins|datalayer|observability)\/[\w./-]+\.(?:ts|mjs|sh|md|test\.ts))`/g,
      ),
    ].map(([, path]) => (/^(src|test|scripts|bench|proto|docs)\//.test(path) ? path : `src/${path}`));
    const missing = [...links, ...named].filter((path) => {
      try {
        readFileSync(join(root, path));
        return false;
      } catch {
        return true;
      }
    });
    expect(missing).toEqual([]);
  });
});
