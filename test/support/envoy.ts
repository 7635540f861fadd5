import { describe } from "vitest";
import type { EnvoyOptions } from "../../src/server/envoy-bootstrap.ts";
import { findEnvoy, startEnvoy as startProcess, type EnvoyProcess } from "../../src/server/envoy-process.ts";

export type { BodyMode, EnvoyOptions } from "../../src/server/envoy-bootstrap.ts";

export interface RunningEnvoy extends EnvoyProcess {
  /** Value of a statistic, 0 when Envoy does not know it (yet). */
  stat(name: string): Promise<number>;
}

/** Path of an Envoy binary: $ENVOY, one in PATH, or the one that scripts/setup-envoy.sh installed. */
const envoyPath: string | undefined = findEnvoy(process.env);

/**
 * `describe` for tests that need a real Envoy. Without one they are skipped, with a line that says so; under CI=true they
 * fail instead.
 */
export function describeWithEnvoy(name: string, tests: () => void): void {
  if (envoyPath === undefined && process.env["CI"] !== "true") {
    console.log(`skipped, there is no Envoy (npm run setup:envoy brings one): ${name}`);
    describe.skip(name, tests);
    return;
  }
  describe(name, tests);
}

/** Starts Envoy in front of a picker, sending each request where the picker says. Resolves once it is ready. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  if (envoyPath === undefined) throw new Error("Cannot start Envoy: there is none; npm run setup:envoy brings one");
  const envoy = await startProcess(envoyPath, options);
  return {
    ...envoy,
    async stat(name) {
      const text = await envoy.admin(`/stats?format=json&filter=^${name.replaceAll(".", "\\.")}$`);
      const { stats } = JSON.parse(text) as { stats: { value?: number }[] };
      return stats[0]?.value ?? 0;
    },
  };
}
