import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import Table from "cli-table3";
import { startDemoPage, type DemoPage } from "../server/demo/demo-page.ts";
import { runDemo } from "../server/demo/demo-run.ts";
import { DemoState } from "../server/demo/demo-state.ts";
import { FLEETS, type DemoEvent, type DemoResult, type FleetName } from "../server/demo/demo-types.ts";
import { findEnvoy } from "../server/envoy-process.ts";
import { runDemoPart } from "../server/demo/run-part.ts";
import type { Command } from "./command.ts";

const TIME_SCALE = 0.125;
const PORT = 8484;

const help = `
warmpath demo [options]

What prefix-aware routing does to a KV cache, in under a minute and without a GPU. Two equal fleets of four simulated
vLLM pods (Qwen3-0.6B on an L4) get the same 110 requests at the same time: eleven conversations of ten turns about
long documents, four workers. One fleet's picker takes a pod at random, the other is warmpath with its default config.
A page shows both live; the terminal gets a table at the end.

Requests go through a real Envoy and ext_proc when one is found ($ENVOY, the PATH, or what \`npm run setup:envoy\`
fetched), else through the built-in gateway. The result says which.

  --once            ends after the run; without it the page is served until Ctrl-C
  --json            prints the result as one line of JSON, the last of standard output
  --time-scale S    real seconds that one second of the engines takes (default ${TIME_SCALE}: both fleets end in about
                    30 s); TTFT is always in the engines' own time
  --seed N          seed of prompts, answers, think times and draws (default 1)
  --via WAY         envoy, gateway or auto (default auto)
  --host ADDRESS    where the page listens (default 127.0.0.1)
  --port PORT       its port (default ${PORT}, or a free one when that is taken; 0 for a free one)
  --no-open         does not open the page in a browser

JSON: {"random": {"hitRate", "ttftMs": {"p50", "p95", "p99"}, "failed", "outputTokens", "pickerCpuMs", "pods"},
"warmpath": {the same}, "requests", "pickerMs": {"random": {...}, "warmpath": {...}}, "timeScale", "seed", "via" ...}
hitRate is by tokens over all pods, from the pods' own counters. pickerMs is real time, not scaled: what passed from
sending to the first token and was not the engine's (proxy, picker, loopback, timers).

Exit status: 0 all requests were answered, 1 some failed or the demo could not run, 2 wrong use.

Examples
  npm run demo
  npm run demo -- --once --json
  warmpath demo --via gateway --seed 7 --time-scale 1     in real time: about four minutes
`;

/** `warmpath demo`. */
export const demoCommand: Command = { name: "demo", summary: "two fleets side by side, live on a page", help, run };

interface DemoArgs {
  readonly once: boolean;
  readonly json: boolean;
  readonly timeScale: number;
  readonly seed: number;
  readonly envoy: string | undefined;
  readonly host: string;
  /** Undefined: the usual one, or a free one. */
  readonly port: number | undefined;
  readonly opens: boolean;
}

const TICK_MS = 250;

async function run(argv: readonly string[]): Promise<number> {
  if (argv[0] === "--part") return runDemoPart();
  const args = readArgs(argv);
  if (typeof args === "string") {
    process.stderr.write(`Cannot run the demo: ${args}. See warmpath demo --help\n`);
    return 2;
  }
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ended.abort());
  const state = new DemoState(() => performance.now());
  const page = await openPage(state, args);
  const bars = progressBars();
  const ticker = setInterval(() => page.tell(), TICK_MS);
  try {
    const result = await runDemo({
      ...args,
      signal: ended.signal,
      observe: (event) => {
        state.take(event);
        bars.take(event);
      },
    });
    bars.stop();
    page.tell();
    report(result, args);
    if (!args.once) {
      process.stderr.write(`The page stays at ${page.url} until Ctrl-C.\n`);
      await aborted(ended.signal);
    }
    return result.random.failed + result.warmpath.failed === 0 ? 0 : 1;
  } catch (error) {
    bars.stop();
    if (!ended.signal.aborted) throw error;
    return 1;
  } finally {
    clearInterval(ticker);
    await page.stop();
  }
}

/** The arguments, or what is wrong with them. */
function readArgs(argv: readonly string[]): DemoArgs | string {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      options: {
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        "time-scale": { type: "string", default: String(TIME_SCALE) },
        seed: { type: "string", default: "1" },
        via: { type: "string", default: "auto" },
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string" },
        "no-open": { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    return (error as Error).message.split("\n")[0].replace(/\.$/, "");
  }
  const { once, json, via, host } = values;
  const timeScale = Number(values["time-scale"]);
  if (!(timeScale >= 0.01 && timeScale <= 10))
    return `found --time-scale ${values["time-scale"]}, allowed are 0.01 to 10`;
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff)
    return `found --seed ${values.seed}, allowed are 0 to 4294967295`;
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    return `found --port ${values.port}, allowed are 0 to 65535`;
  }
  if (!["auto", "envoy", "gateway"].includes(via)) return `found --via ${via}, allowed are auto, envoy and gateway`;
  const envoy = via === "gateway" ? undefined : findEnvoy(process.env);
  if (via === "envoy" && envoy === undefined) return "found no Envoy for --via envoy; npm run setup:envoy fetches one";
  if (envoy !== undefined && !existsSync(envoy)) return `found no file ${envoy}, which $ENVOY names`;
  const opens = !values["no-open"] && !once && process.stdout.isTTY && process.env["CI"] === undefined;
  return { once, json, timeScale, seed, envoy, host, port, opens };
}

async function openPage(state: DemoState, { host, port, opens }: DemoArgs): Promise<DemoPage> {
  const page = await startDemoPage(state, host, port ?? PORT).catch((error: NodeJS.ErrnoException) => {
    if (port !== undefined || error.code !== "EADDRINUSE") throw error;
    return startDemoPage(state, host, 0);
  });
  process.stderr.write(`Watch it live: ${page.url}\n`);
  if (opens) openBrowser(page.url);
  return page;
}

/** Opens a browser if there is a way to; that there is none is no error. */
function openBrowser(url: string): void {
  const command = process.platform === "darwin" ? "open" : process.platform === "win32" ? "explorer" : "xdg-open";
  const child = spawn(command, [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}

/** Two bars on a terminal's standard error; nothing when it is piped. */
function progressBars(): { take(event: DemoEvent): void; stop(): void } {
  if (!process.stderr.isTTY) return { take: () => undefined, stop: () => undefined };
  const format = "{fleet} {bar} {value}/{total}  hit rate {rate}";
  const multi = new MultiBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  const bars = new Map<FleetName, SingleBar>();
  const width = Math.max(...FLEETS.map((fleet) => fleet.length));
  return {
    take(event) {
      if (event.type === "started") {
        for (const name of FLEETS) {
          bars.set(name, multi.create(event.setup.requests, 0, { fleet: name.padEnd(width), rate: "-" }));
        }
      } else if (event.type === "turn") bars.get(event.fleet)?.update(event.done);
      else if (event.type === "sample") {
        const queries = event.pods.reduce((sum, pod) => sum + pod.queriesTokens, 0);
        const hits = event.pods.reduce((sum, pod) => sum + pod.hitsTokens, 0);
        if (queries > 0) bars.get(event.fleet)?.update({ rate: percent(hits / queries) });
      }
    },
    stop: () => multi.stop(),
  };
}

function report(result: DemoResult, { json }: DemoArgs): void {
  // With --json the table goes aside, so that the JSON is all that standard output holds.
  (json ? process.stderr : process.stdout).write(`${describe(result)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

function describe(result: DemoResult): string {
  const table = new Table({
    head: ["", ...FLEETS],
    colAligns: ["left", "right", "right"],
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    style: { head: process.stdout.isTTY ? ["bold"] : [], border: [] },
  });
  const row = (name: string, of: (fleet: FleetName) => string): void => void table.push([name, ...FLEETS.map(of)]);
  row("KV-cache hit rate, by tokens", (fleet) => percent(result[fleet].hitRate));
  for (const { pod } of result.random.pods) {
    row(`  ${pod}`, (fleet) => percent(result[fleet].pods.find((each) => each.pod === pod)?.hitRate ?? 0));
  }
  for (const p of ["p50", "p95", "p99"] as const) {
    row(`TTFT ${p}, engine time`, (fleet) => ms(result[fleet].ttftMs[p]));
  }
  row("proxy + picker p50, real time", (fleet) => ms(result.pickerMs[fleet].p50));
  row("proxy + picker p95, real time", (fleet) => ms(result.pickerMs[fleet].p95));
  row("picker CPU a request, with scrapes", (fleet) => ms(result[fleet].pickerCpuMs));
  row("failed requests", (fleet) => String(result[fleet].failed));
  const { requests, model, gpu, via, timeScale, seed, wallSeconds } = result;
  const way = via === "envoy" ? "Envoy and ext_proc" : "the built-in gateway";
  return `${table.toString()}
2 x ${requests} requests through ${way} in ${wallSeconds.toFixed(0)} s; simulated pods of ${model} on ${gpu}, whose
clock runs ${(1 / timeScale).toFixed(1)} times as fast as real time; seed ${seed}.`;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
