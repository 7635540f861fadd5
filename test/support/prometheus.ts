import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { freePorts } from "./free-ports.ts";

/** A series of an instant query, with its value now. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** NaN and infinities included. */
  readonly value: number;
}

export interface RunningPrometheus {
  /** What an expression of PromQL gives now; rejects when it is none. */
  query(expression: string): Promise<readonly Sample[]>;
  /** `data` of a path of its API, such as `/rules`. */
  api(path: string): Promise<unknown>;
}

const programs = ["prometheus", "promtool"].map((name) =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path)),
);
const [prometheus, promtool] = programs;

/**
 * `describe` for tests that need Prometheus and promtool. Without them they are skipped, with a line that says so; under
 * CI=true they fail instead.
 */
export function describeWithPrometheus(name: string, tests: () => void): void {
  if ((!prometheus || !promtool) && process.env["CI"] !== "true") {
    console.log(`skipped, there is no Prometheus (Debian's package prometheus has it): ${name}`);
    describe.skip(name, tests);
    return;
  }
  describe(name, tests);
}

/** A folder of the test that runs. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "warmpath-prometheus-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs promtool. Resolves with its status and all it said. */
export async function runPromtool(...args: readonly string[]): Promise<{ failed: boolean; said: string }> {
  if (!promtool) throw new Error("Cannot run promtool: there is none; Debian's package prometheus has it");
  const run = promisify(execFile)(promtool, [...args], { maxBuffer: 1 << 26 });
  return run.then(
    ({ stdout, stderr }) => ({ failed: false, said: stdout + stderr }),
    (error: { stdout?: string; stderr?: string }) => ({ failed: true, said: `${error.stdout}${error.stderr}` }),
  );
}

/** Starts Prometheus with a config for the test that runs. Resolves once it answers. */
export async function startPrometheus(config: object): Promise<RunningPrometheus> {
  if (!prometheus) throw new Error("Cannot start Prometheus: there is none; Debian's package prometheus has it");
  const folder = testFolder();
  const file = join(folder, "prometheus.yaml");
  writeFileSync(file, stringify(config));
  const [port] = await freePorts(1);
  const child = spawn(
    prometheus,
    [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, "data")}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (chunk) => (said += String(chunk)));
  const closed = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`Cannot start Prometheus: it ended\n${said}`);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await expect.poll(isReady, { timeout: 20_000 }).toBe(true);
  const api = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`${url}/api/v1${path}`)).json()) as { status: string; data: unknown };
    if (answer.status !== "success") throw new Error(`Cannot get ${path}: ${JSON.stringify(answer)}`);
    return answer.data;
  };
  return {
    api,
    async query(expression) {
      const { result } = (await api(`/query?query=${encodeURIComponent(expression)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
  };
}
