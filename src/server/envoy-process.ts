import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { envoyBootstrap, type EnvoyOptions } from "./envoy-bootstrap.ts";

/** Where `scripts/setup-envoy.sh` installs the Python package that carries the binary. */
const INSTALLED = fileURLToPath(new URL("../../.cache/envoy/lib/", import.meta.url));
/** Time between writes of the access log; without it ten seconds. */
const LOG_FLUSH_MS = 100;
const READY_MS_MAX = 15_000;
const STOP_MS_MAX = 3000;
const STDERR_BYTES_MAX = 16_384;

/** Path of an Envoy binary: $ENVOY, else one on the PATH, else the project's own copy; undefined when there is none. */
export function findEnvoy(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { ENVOY, PATH = "" } = env;
  if (ENVOY) return resolve(ENVOY);
  const places = PATH.split(delimiter).filter((folder) => folder !== "");
  return [...places.map((folder) => join(folder, "envoy")), ...installed()].find((path) => existsSync(path));
}

function installed(): string[] {
  if (!existsSync(INSTALLED)) return [];
  return readdirSync(INSTALLED).map((python) => join(INSTALLED, python, "site-packages/envoy/_bin/envoy"));
}

/** An Envoy with its listener in front of a picker. */
export interface EnvoyProcess {
  /** Where clients connect, on 127.0.0.1. */
  readonly port: number;
  /** Reads a path of the admin interface. */
  admin(path: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts an Envoy that asks a picker for each request. Resolves once it takes connections. */
export async function startEnvoy(binary: string, options: EnvoyOptions): Promise<EnvoyProcess> {
  const folder = await mkdtemp(join(tmpdir(), "warmpath-envoy-"));
  const config = join(folder, "envoy.json");
  const adminFile = join(folder, "admin");
  await writeFile(config, JSON.stringify(envoyBootstrap(options)));
  const args = ["-c", config, "--admin-address-path", adminFile, "--disable-hot-restart", "--concurrency", "1"];
  if (options.accessLog) args.push("--file-flush-interval-msec", String(LOG_FLUSH_MS));
  const child = spawn(binary, [...args, "--log-level", "warning"], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = async (): Promise<void> => {
    await stopProcess(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { port: await listenerPort(child, adminFile), admin: (path) => askAdmin(adminFile, path), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function listenerPort(child: ChildProcess, adminFile: string): Promise<number> {
  let said = "";
  let failure: string | undefined;
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-STDERR_BYTES_MAX);
  });
  child.once("error", (error) => (failure = error.message));
  child.once("exit", (code, signal) => (failure = `it ended (${signal ?? `exit status ${code}`})\n${said.trim()}`));
  const deadlineMs = performance.now() + READY_MS_MAX;
  for (;;) {
    const port = await askListener(adminFile).catch(() => undefined);
    if (port !== undefined) return port;
    if (performance.now() > deadlineMs) failure ??= `it took no connections within ${READY_MS_MAX} ms\n${said.trim()}`;
    if (failure !== undefined) throw new Error(`Cannot start Envoy: ${failure}`);
    await delay(50);
  }
}

/** The listener's port, once Envoy is live. */
async function askListener(adminFile: string): Promise<number | undefined> {
  if ((await askAdmin(adminFile, "/ready")).trim() !== "LIVE") return undefined;
  const listeners = JSON.parse(await askAdmin(adminFile, "/listeners?format=json")) as ListenerStatuses;
  return listeners.listener_statuses?.[0]?.local_address?.socket_address?.port_value;
}

async function askAdmin(adminFile: string, path: string): Promise<string> {
  const { body } = await request(`http://${(await readFile(adminFile, "utf8")).trim()}${path}`);
  return body.text();
}

interface ListenerStatuses {
  readonly listener_statuses?: readonly {
    readonly local_address?: { readonly socket_address?: { readonly port_value?: number } };
  }[];
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await exit;
  clearTimeout(timer);
}
