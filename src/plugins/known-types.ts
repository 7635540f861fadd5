import type { Stability } from "../core/plugin.ts";
import { UNBUILT } from "./unbuilt/list.ts";

/**
 * Types that the stock EPP registers (`spec/plugins.md` 0) and this release does not build yet, with their stability.
 * The list shrinks to nothing.
 */
export const UNBUILT_TYPES: Readonly<Record<string, Stability>> = Object.assign(
  Object.create(null) as Record<string, Stability>,
  Object.fromEntries(UNBUILT.map(({ type, stability = "beta" }) => [type, stability])),
);
