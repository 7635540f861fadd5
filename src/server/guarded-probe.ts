import type { Env } from "../core/env.ts";

type Probe = NonNullable<Env["probe"]>;

/** A probe that never throws: what it throws goes to `failed`, and what it times goes on. */
export const guardedProbe =
  (probe: Probe, failed: (error: unknown) => void): Probe =>
  (point, plugin, edge) => {
    try {
      probe(point, plugin, edge);
    } catch (error) {
      failed(error);
    }
  };
