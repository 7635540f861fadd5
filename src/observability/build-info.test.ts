import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Registry } from "prom-client";
import { expect, it, onTestFinished } from "vitest";
import { readBuildInfo, registerBuildInfo } from "./build-info.ts";

it.each([
  ['{"commit":"abc","buildRef":"v1"}', "abc", "v1"],
  ['{"buildRef":"v1"}', "unknown", "v1"],
  ["{", "unknown", "unknown"],
  [undefined, "unknown", "unknown"],
])("a build that left %s is told as commit %s of %s, under both names", async (text, commit, buildRef) => {
  const folder = mkdtempSync(join(tmpdir(), "warmpath-build-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "build-info.json");
  if (text !== undefined) writeFileSync(file, text);
  const registry = new Registry();
  registerBuildInfo(registry, readBuildInfo(pathToFileURL(file)));
  const labels = `{build_ref="${buildRef}",commit="${commit}"}`;
  const page = await registry.metrics();
  expect(page).toContain(`\nllm_d_epp_info${labels} 1\n`);
  expect(page).toContain(`\ninference_extension_info${labels} 1\n`);
});
