import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCommand } from "../support/command.ts";

/** A config that names an endpoints file with one pod that nobody is. */
async function configFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "epp-command-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const endpoints = join(folder, "endpoints.yaml");
  await writeFile(endpoints, `endpoints:\n- {name: a, namespace: default, address: 127.0.0.1, port: "9"}\n`);
  const config = join(folder, "config.yaml");
  await writeFile(
    config,
    `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: random-picker
- type: file-discovery
  parameters: {path: ${JSON.stringify(endpoints)}, watchFile: true}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: random-picker
dataLayer:
  discovery: {pluginRef: file-discovery}
`,
  );
  return config;
}

async function takenPort(): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("warmpath epp", () => {
  it.each(["grpc-port", "grpc-health-port", "metrics-port"])(
    "says why and ends when the port of --%s is taken, with scrapes and the file's watch under way",
    async (flag) => {
      const ports = { "grpc-port": 0, "grpc-health-port": 0, "metrics-port": 0, [flag]: await takenPort() };
      const flags = Object.entries(ports).map(([name, port]) => `--${name}=${port}`);
      const config = await configFile();
      const epp = startCommand(["epp", "--pool-name=p", "--secure-serving=false", `--config-file=${config}`, ...flags]);
      expect(await epp.exit).toBe(1);
      expect(epp.stderr.join("\n")).toMatch(/Cannot start: .*EADDRINUSE/);
    },
  );

  const FUTURE = ["--future-switch", "--future-value", "fast", "--grpc-prot=1"];
  const PORTS = ["--grpc-port=0", "--grpcHealthPort", "0", "-metrics-port=0"];

  it("starts with flags of a release to come and spellings of old ones, says so and counts what it does not know", async () => {
    const config = await configFile();
    const flags = ["--poolName", "p", "--secure-serving=false", "--config-file", config, ...PORTS, ...FUTURE];
    const epp = startCommand(["epp", ...flags]);
    const serving = JSON.parse(await epp.line('"serving"')) as { metricsPort: number };
    const page = await (await fetch(`http://127.0.0.1:${serving.metricsPort}/metrics`)).text();
    expect(page).toContain("\nwarmpath_unknown_flags 3\n");
    const said = epp.stderr.join("\n");
    expect(said).toContain("UNKNOWN FLAG --future-switch is passed over and changes nothing");
    expect(said).toContain("UNKNOWN FLAG --grpc-prot is passed over and changes nothing; did you mean --grpc-port?");
    expect(said).toContain("--poolName is an older form of --pool-name");
    expect(said).toContain('"msg":"Flags processed"');
  });

  it("scrapes where older flags say, and the recorded run replays with them", async () => {
    const page = createHttpServer();
    onTestFinished(() => void page.close());
    page.listen(0, "127.0.0.1");
    await once(page, "listening");
    const asked = once(page, "request") as Promise<[IncomingMessage, ServerResponse]>;
    const config = await configFile();
    const record = join(dirname(config), "run.jsonl");
    const { port } = page.address() as AddressInfo;
    const flags = [
      ["--poolName=p", "--secureServing=false", "--configFile", config, "--drain-timeout=0s", ...PORTS],
      ["-modelServerMetricsPort", String(port), "-modelServerMetricsPath=/old"],
      ["-totalQueuedRequestsMetric=old_waiting", "--record-events", record],
    ];
    const epp = startCommand(["epp", ...flags.flat()]);
    const [request, response] = await asked;
    expect(request.url).toBe("/old");
    response.end("# TYPE old_waiting gauge\nold_waiting 5\n");
    await epp.line('"serving"');
    epp.child.kill("SIGTERM");
    expect(await epp.exit).toBe(0);
    const replay = startCommand(["replay", record]);
    expect(await replay.exit).toBe(0);
    expect(await readFile(record, "utf8")).toContain('"total-queued-requests-metric":"old_waiting"');
  });

  it("ends with 2 for them with --strict-config", async () => {
    const epp = startCommand(["epp", "--strict-config", "--pool-name=p", ...FUTURE]);
    expect(await epp.exit).toBe(2);
    expect(epp.stderr.join("\n")).toContain("Cannot use flag --future-switch: no such flag");
  });

  it("has help for today's flags and other help for old ones", async () => {
    const old = startCommand(["epp", "--help-old"]);
    expect(await old.exit).toBe(0);
    expect(old.stdout.join("\n")).toContain("--model-server-metrics-scheme http|https");
    const help = startCommand(["epp", "--help"]);
    expect(await help.exit).toBe(0);
    expect(help.stdout.join("\n")).not.toContain("--model-server-metrics-scheme");
  });
});
