import { readFileSync } from "node:fs";
import type { Registry } from "prom-client";
import { INFO_FAMILY } from "./stock-families.ts";
import { TwinFamily } from "./twin-family.ts";

/** Which build runs. */
export interface BuildInfo {
  /** Commit that it was built from; "unknown" where the build did not know. */
  readonly commit: string;
  /** Version or branch. */
  readonly buildRef: string;
}

const UNKNOWN: BuildInfo = { commit: "unknown", buildRef: "unknown" };

/** What the build left beside its files (`scripts/build.mjs`). */
export function readBuildInfo(file = new URL("../build-info.json", import.meta.url)): BuildInfo {
  try {
    return { ...UNKNOWN, ...(JSON.parse(readFileSync(file, "utf8")) as Partial<BuildInfo>) };
  } catch {
    // Run from its sources, nothing was built.
    return UNKNOWN;
  }
}

/** Puts the build on the page, as labels of a gauge that is 1, under both names (stock: metrics.RecordInferenceExtensionInfo). */
export function registerBuildInfo(registry: Registry, { commit, buildRef }: BuildInfo): void {
  new TwinFamily(INFO_FAMILY, registry).row(commit, buildRef).add();
}
