import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { readBlueprint } from "../config/blueprint.ts";
import type { SignalRow } from "../core/events.ts";
import { pluginExample } from "../config/plugin-example.ts";
import { PLUGINS } from "../plugins/list.ts";
import { createDataSources } from "./data-sources.ts";
import { createDiscoveryOf } from "./discoveries.ts";
import type { PlacedEndpoint } from "./endpoint-scraper.ts";
import type { PageScraper } from "./page-scraper.ts";

const CLUSTER_PAGE =
  "# TYPE llm_d_epp_average_kv_cache_utilization gauge\nllm_d_epp_average_kv_cache_utilization 0.25\n" +
  "# TYPE llm_d_epp_average_queue_size gauge\nllm_d_epp_average_queue_size 3\n";
const CLUSTER_ROW = {
  attributes: { "llm-d.ai/multicluster-kv-cache-utilization": 0.25, "llm-d.ai/multicluster-queue-size": 3 },
  aside: true,
  slot: 0,
  generation: 1,
};

async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  };
  server.on("connection", keep);
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const place = (port: number, more: Partial<PlacedEndpoint> = {}): PlacedEndpoint => ({
  id: "default/pod-0",
  namespace: "default",
  name: "pod-0",
  address: "127.0.0.1",
  port,
  metricsHost: `127.0.0.1:${port}`,
  labels: {},
  slot: 0,
  generation: 1,
  ...more,
});

/** What the sources of a config bring. */
class Brought {
  readonly rows: SignalRow[] = [];
  readonly errors: string[] = [];
  readonly problems: string[] = [];
  #wake: (() => void) | undefined;

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  noted(into: unknown[], what: unknown): void {
    into.push(what);
    this.#wake?.();
  }
}

/** Makes the sources of a config, as its `plugins` and `sources` say. */
async function make(plugins: string, sources: string): Promise<{ brought: Brought; scrapers: readonly PageScraper[] }> {
  const text = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: random-picker
${plugins}
dataLayer:
  injectDefaults: false
  sources:
${sources}
`;
  const { dataLayer } = readBlueprint({ text, options: { "allow-experimental-plugins": true } });
  const brought = new Brought();
  const scrapers = await createDataSources(dataLayer.sources, {
    refreshMetricsIntervalMs: 50,
    problem: (message) => brought.problems.push(message),
    sink: () => ({
      onRow: (row) => brought.noted(brought.rows, row),
      onError: (_kind, _endpoint, cause) => brought.noted(brought.errors, cause),
    }),
  });
  onTestFinished(() => {
    for (const scraper of scrapers) scraper.stop();
  });
  return { brought, scrapers };
}

const dcgmPage = (pods: readonly string[]) =>
  "# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).\n# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n" +
  pods
    .map(
      (pod, gpu) =>
        `DCGM_FI_DEV_GPU_UTIL{gpu="${gpu}",UUID="GPU-${gpu}",device="nvidia${gpu}",Hostname="n",pod="${pod}"} ${10 * gpu + 5}\n`,
    )
    .join("");

describe("data sources over real HTTP", () => {
  it("dcgm-data-source reads the exporter at its own port of the pod's address", async () => {
    const exporter = createServer(
      (request, response) => void response.end(request.url === "/metrics" ? dcgmPage(["pod-0", "pod-1"]) : ""),
    );
    const port = await listen(exporter);
    const { brought, scrapers } = await make(
      `- {type: dcgm-data-source, parameters: {port: ${port}}}\n- type: dcgm-extractor`,
      "  - pluginRef: dcgm-data-source\n    extractors: [{pluginRef: dcgm-extractor}]",
    );
    scrapers[0].add(place(1, { name: "pod-1" }));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0]).toEqual({ attributes: { GPUUtilization: 0.15 }, aside: true, slot: 0, generation: 1 });
    expect(scrapers.map(({ sourceType }) => sourceType)).toEqual(["dcgm-data-source"]);
  });

  it("dcgm-data-source asks the node where it is known, else the pod", async () => {
    const port = await listen(
      createServer((_, response) => void response.end(dcgmPage(["pod-0"]))),
      "127.1.2.3",
    );
    const { brought, scrapers } = await make(
      `- {type: dcgm-data-source, parameters: {port: ${port}, useNodeAddress: true}}\n- type: dcgm-extractor`,
      "  - pluginRef: dcgm-data-source\n    extractors: [{pluginRef: dcgm-extractor}]",
    );
    scrapers[0].add(place(1, { nodeAddress: "127.1.2.3" }));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0].attributes).toEqual({ GPUUtilization: 0.05 });
    scrapers[0].add(place(1, { address: "127.9.9.9" }));
    await brought.until(() => brought.errors.length > 0);
    expect(brought.errors[0]).toContain(`Cannot scrape default/pod-0 at 127.9.9.9:${port}: `);
  });

  it("models-data-source brings the list of models, at the path that it is told", async () => {
    const listener: RequestListener = ({ url }, response) => {
      response.statusCode = url === "/api/models" ? 200 : 404;
      response.end('{"object":"list","data":[{"id":"base","object":"model"},{"id":"lora","parent":"base"}]}');
    };
    const port = await listen(createServer(listener));
    const plugins = (path: string) =>
      `- {type: models-data-source, parameters: {path: ${path}}}\n- {type: models-data-extractor, name: mine}`;
    const source = "  - pluginRef: models-data-source\n    extractors: [{pluginRef: mine}]";
    const { brought, scrapers } = await make(plugins("/api/models"), source);
    scrapers[0].add(place(port));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0].values).toEqual({
      "/v1/models/models-data-extractor": [
        { id: "base", object: "model" },
        { id: "lora", parent: "base" },
      ],
    });
    const other = await make(plugins("/v1/models"), source);
    other.scrapers[0].add(place(port));
    await other.brought.until(() => other.brought.errors.length > 0);
    expect(other.brought.errors[0]).toMatch(/status 404$/);
  });

  it("one page goes to each extractor of its source, and one that finds nothing is no loss to the others", async () => {
    const page = `${CLUSTER_PAGE}# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 7\n`;
    const port = await listen(createServer((_, response) => void response.end(page)));
    const { brought, scrapers } = await make(
      "- type: metrics-data-source\n- type: core-metrics-extractor\n- type: multicluster-metrics-extractor\n- type: dcgm-extractor",
      "  - pluginRef: metrics-data-source\n    extractors:\n" +
        ["core-metrics-extractor", "dcgm-extractor", "multicluster-metrics-extractor"]
          .map((name) => `    - pluginRef: ${name}\n`)
          .join(""),
    );
    scrapers[0].add(place(port));
    await brought.until(() => brought.rows.length >= 2);
    expect(brought.rows.slice(0, 2)).toEqual([{ waiting: 7, slot: 0, generation: 1 }, CLUSTER_ROW]);
    expect(brought.errors.slice(0, 2)).toEqual([
      expect.stringContaining("vllm:num_requests_running"),
      expect.stringContaining("Cannot find DCGM_FI_DEV_GPU_UTIL"),
    ]);
  });

  it("an endpoint whose labels name no port for its metrics is told of, and no loss to others", async () => {
    const port = await listen(createServer((_, response) => void response.end(CLUSTER_PAGE)));
    const { brought, scrapers } = await make(
      "- {type: multicluster-metrics-data-source, parameters: {scheme: http}}\n- type: multicluster-metrics-extractor",
      "  - pluginRef: multicluster-metrics-data-source\n    extractors: [{pluginRef: multicluster-metrics-extractor}]",
    );
    for (const wrong of ["x", "0", "70000", "1.5"])
      scrapers[0].add(place(1, { metricsHost: `127.0.0.1:${wrong}`, slot: 5 }));
    expect(brought.errors.map((error) => error.replace(/.*at /, ""))).toEqual(
      ["x", "0", "70000", "1.5"].map((wrong) => `127.0.0.1:${wrong}: the port is none, expected 1 to 65535`),
    );
    scrapers[0].add(place(port));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0]).toEqual(CLUSTER_ROW);
  });

  it("1,000 endpoints bring their GPUs and models, each its own", async () => {
    const names = Array.from({ length: 1000 }, (_, i) => `pod-${i}`);
    const exporter = await listen(createServer((_, response) => void response.end(dcgmPage(names.slice(0, 8)))));
    const { brought, scrapers } = await make(
      `- {type: dcgm-data-source, parameters: {port: ${exporter}, interval: 1s}}\n- type: dcgm-extractor`,
      "  - pluginRef: dcgm-data-source\n    extractors: [{pluginRef: dcgm-extractor}]",
    );
    for (const [slot, name] of names.entries()) scrapers[0].add(place(1, { id: `default/${name}`, name, slot }));
    // By slot: on a busy machine some are read again before others are read at all.
    const slots = () => new Set(brought.rows.map(({ slot }) => slot)).size;
    await brought.until(() => slots() >= 8 && brought.errors.length >= 992);
    const bySlot = new Map(brought.rows.map(({ slot, attributes }) => [slot, attributes!["GPUUtilization"]]));
    expect([...bySlot].sort(([a], [b]) => a - b)).toEqual(
      Array.from({ length: 8 }, (_, gpu) => [gpu, (10 * gpu + 5) / 100]),
    );
  });
});

describe("multicluster-metrics-data-source over real TLS", () => {
  const certificate = () =>
    generate([{ name: "commonName", value: "cluster" }], {
      keyType: "ec",
      extensions: [
        {
          name: "subjectAltName",
          altNames: [
            { type: 7, ip: "127.0.0.1" },
            { type: 2, value: "localhost" },
          ],
        },
      ],
    });

  async function setUp(options: object = {}) {
    const folder = await mkdtemp(join(tmpdir(), "warmpath-clusters-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, private: key } = await certificate();
    const server = createHttpsServer({ cert, key, ...options }, (_, response) => void response.end(CLUSTER_PAGE));
    const port = await listen(server);
    const write = async (name: string, text: string) => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    return { port, ca: await write("ca.pem", cert), write };
  }

  const source = (parameters: string) =>
    make(
      `- {type: multicluster-metrics-data-source, name: peers, parameters: {${parameters}}}\n- type: multicluster-metrics-extractor`,
      "  - pluginRef: peers\n    extractors: [{pluginRef: multicluster-metrics-extractor}]",
    );

  it("speaks https and checks certificates unless it is told otherwise", async () => {
    const { port, ca } = await setUp();
    const unchecked = await source("");
    unchecked.scrapers[0].add(place(port));
    await unchecked.brought.until(() => unchecked.brought.errors.length > 0);
    expect(unchecked.brought.errors[0]).toMatch(/self-signed certificate/);
    expect(unchecked.brought.rows).toEqual([]);
    for (const parameters of [`caCertPath: ${ca}`, "insecureSkipVerify: true"]) {
      const { brought, scrapers } = await source(parameters);
      scrapers[0].add(place(port));
      await brought.until(() => brought.rows.length > 0);
      expect([brought.rows[0], brought.errors]).toEqual([CLUSTER_ROW, []]);
    }
  });

  it("trusts the authorities of the system", async () => {
    const { port, ca } = await setUp();
    vi.stubEnv("SSL_CERT_FILE", ca);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { brought, scrapers } = await source("");
    scrapers[0].add(place(port));
    await brought.until(() => brought.rows.length > 0);
    expect([brought.rows[0], brought.errors]).toEqual([CLUSTER_ROW, []]);
  });

  it("looks host names up, and holds the certificate against them", async () => {
    const { port, ca } = await setUp();
    const { brought, scrapers } = await source(`caCertPath: ${ca}`);
    scrapers[0].add(place(port, { address: "localhost", metricsHost: `localhost:${port}` }));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0]).toEqual(CLUSTER_ROW);
    scrapers[0].add(place(port, { address: "127.0.0.2", metricsHost: `127.0.0.2:${port}` }));
    await brought.until(() => brought.errors.length > 0);
    expect(brought.errors[0]).toMatch(/127\.0\.0\.2/);
  });

  it("shows its certificate where peers ask for one", async () => {
    const client = await certificate();
    const { port, ca, write } = await setUp({ requestCert: true, rejectUnauthorized: true, ca: client.cert });
    const [cert, key] = [await write("client.pem", client.cert), await write("client.key", client.private)];
    const { brought, scrapers } = await source(`caCertPath: ${ca}, clientCertPath: ${cert}, clientKeyPath: ${key}`);
    scrapers[0].add(place(port));
    await brought.until(() => brought.rows.length > 0);
    expect(brought.rows[0]).toEqual(CLUSTER_ROW);
    const bare = await source(`caCertPath: ${ca}`);
    bare.scrapers[0].add(place(port));
    await bare.brought.until(() => bare.brought.errors.length > 0);
    expect(bare.brought.rows).toEqual([]);
  });

  it("takes 8 MiB of a page and not a byte more", async () => {
    const line = "# x\n";
    const padded = (bytes: number) => CLUSTER_PAGE + line.repeat((bytes - CLUSTER_PAGE.length) / line.length);
    const full = 8 << 20;
    const fits = full - ((full - CLUSTER_PAGE.length) % line.length);
    const { brought, scrapers } = await source("scheme: http");
    const serve = (bytes: number) => listen(createServer((_, response) => void response.end(padded(bytes))));
    scrapers[0].add(place(await serve(fits)));
    await brought.until(() => brought.rows.length > 0);
    scrapers[0].add(place(await serve(fits + line.length)));
    await brought.until(() => brought.errors.length > 0);
    expect(brought.errors[0]).toMatch(/the page has more than 8388608 bytes$/);
  });

  it("is not made when a file of certificates is missing, and says which source wants it", async () => {
    await expect(source("caCertPath: /nowhere/ca.pem")).rejects.toThrow(
      /^Cannot read caCertPath \/nowhere\/ca\.pem: ENOENT/,
    );
    const { write } = await setUp();
    const junk = await write("junk.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
    await expect(source(`caCertPath: ${junk}`)).rejects.toThrow(/junk\.pem: it holds no certificate$/);
    const mine = await certificate();
    const [cert, key] = [await write("a.pem", mine.cert), await write("b.pem", (await certificate()).private)];
    await expect(source(`clientCertPath: ${cert}, clientKeyPath: ${key}`)).rejects.toThrow(
      /^Cannot use the certificates of peers \(/,
    );
  });
});

describe("data sources of events", () => {
  it("endpoint-notification-source runs nothing and says nothing", async () => {
    const { brought, scrapers } = await make(
      "- type: endpoint-notification-source\n- type: topology-extractor",
      "  - pluginRef: endpoint-notification-source\n    extractors: [{pluginRef: topology-extractor}]",
    );
    expect([scrapers, brought.problems]).toEqual([[], []]);
  });

  it("k8s-notification-source says once that there is nothing to watch", async () => {
    const { brought, scrapers } = await make(
      "- {type: k8s-notification-source, name: pods, parameters: {version: v1, kind: Pod}}\n" +
        "- {type: k8s-notification-source, name: sets, parameters: {group: apps, version: v1, kind: StatefulSet}}",
      "  - pluginRef: pods\n  - pluginRef: sets",
    );
    const why = "watches nothing: endpoints come from a file, so there is no Kubernetes to ask for";
    expect(scrapers).toEqual([]);
    expect(brought.problems).toEqual([`pods ${why} v1 Pod`, `sets ${why} apps/v1 StatefulSet`]);
  });
});

it("every type of data source runs, as its own example has it", async () => {
  const types = PLUGINS.filter(({ points }) => points.includes("dataSource"));
  for (const plugin of types) {
    const { dataLayer } = readBlueprint({
      text: pluginExample(plugin),
      options: { "allow-experimental-plugins": true },
    });
    const sources = dataLayer.sources.map((source) => ({
      ...source,
      params: { ...(source.params as object), caCertPath: "" },
    }));
    expect(sources.map(({ type }) => type)).toContain(plugin.type);
    const context = {
      refreshMetricsIntervalMs: 50,
      problem: () => undefined,
      sink: () => ({ onRow: () => undefined, onError: () => undefined }),
    };
    const pages = plugin.payload === "metrics" || plugin.payload === "models";
    const scrapers = await createDataSources(sources, context);
    expect(scrapers.map(({ sourceType }) => sourceType).includes(plugin.type)).toBe(pages);
  }
  expect(types.length).toBe(6);
});

it("every type of discovery has a runner, and other types have none", () => {
  const sink = { upsert: () => undefined, remove: () => undefined, problem: () => undefined };
  const types = PLUGINS.filter(({ points }) => points.includes("discovery")).map(({ type }) => type);
  for (const type of types) createDiscoveryOf({ type, name: "x", params: { path: "e.yaml" } }, sink).stop();
  expect(types.length).toBe(2);
  expect(() => createDiscoveryOf({ type: "constructor", name: "x", params: {} }, sink)).toThrow(
    "Cannot run plugin x: found type constructor, expected file-discovery, multicluster-file-discovery",
  );
});
