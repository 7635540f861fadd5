import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CoreEvent } from "../core/events.ts";
import { startPods, writeEndpointsFile, type PodFleet } from "../simulator/pods/start-pods.ts";
import { startLivePool, type LivePool, type LivePoolOptions } from "./live-pool.ts";

const DEFAULT = { text: "", options: {} };

async function setUp(count = 2): Promise<{ fleet: PodFleet; file: string }> {
  const fleet = await startPods({ count, timeScale: 0 });
  const folder = await mkdtemp(join(tmpdir(), "live-pool-"));
  onTestFinished(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true });
  });
  const file = join(folder, "endpoints.yaml");
  await writeEndpointsFile(file, fleet.pods);
  return { fleet, file };
}

async function startPool(options: Partial<LivePoolOptions>): Promise<{ pool: LivePool; problems: string[] }> {
  const problems: string[] = [];
  const pool = await startLivePool({
    source: DEFAULT,
    seed: 1,
    problem: (message) => problems.push(message),
    ...options,
  });
  onTestFinished(() => pool.stop());
  return { pool, problems };
}

/** Waits for something that an event brings about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
const ids = ({ driver: { core } }: LivePool): string[] =>
  [...core.endpoints.slots()].map((slot) => core.endpoints.description[slot].id);
const scraped = ({ driver }: LivePool): boolean[] => {
  driver.drain();
  const { endpoints } = driver.core;
  return [...endpoints.slots()].map((slot) => endpoints.updatedAtUs[slot] >= 0 && endpoints.blockCount[slot] > 0);
};

describe("a live pool", () => {
  it("knows the file's endpoints when it has started, and their signals soon after", async () => {
    const { file } = await setUp();
    const { pool, problems } = await startPool({ endpointsFile: file });
    expect(ids(pool)).toEqual(["default/pod-0", "default/pod-1"]);
    await until(() => scraped(pool).every(Boolean));
    expect(problems).toEqual([]);
  });

  it("takes the discovery that the config names", async () => {
    const { file } = await setUp();
    const text = `apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: random-picker
- type: file-discovery
  parameters: {path: ${JSON.stringify(file)}}
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: random-picker
dataLayer:
  discovery: {pluginRef: file-discovery}
`;
    const { pool } = await startPool({ source: { text, options: {} } });
    expect(ids(pool)).toEqual(["default/pod-0", "default/pod-1"]);
  });

  it("follows the file: an endpoint that goes, one that comes, one that moves", async () => {
    const { fleet, file } = await setUp(3);
    const [first, second, third] = fleet.pods;
    await writeEndpointsFile(file, [first, second]);
    const { pool } = await startPool({ endpointsFile: file });
    await until(() => scraped(pool).every(Boolean));
    const generations = () => [...pool.driver.core.endpoints.generation];
    const before = generations();
    // pod-0 goes, pod-1 moves to the third pod's port, another one comes.
    await writeEndpointsFile(file, [
      { ...second, name: "pod-1", host: third.host, port: third.port },
      { name: "new", host: first.host, port: first.port },
    ]);
    await until(() => ids(pool).includes("default/new"));
    expect(ids(pool).sort()).toEqual(["default/new", "default/pod-1"]);
    await until(() => scraped(pool).every(Boolean));
    expect(generations()).not.toEqual(before);
    expect(pool.driver.core.endpoints.target).toContain(`127.0.0.1:${third.port}`);
  });

  it("follows an endpoint's labels, and lets go of one that is removed", async () => {
    const page = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 3\n";
    const pod = createServer((_request, response) => void response.end(page));
    const closed = new Promise((resolve) => pod.once("connection", (socket) => socket.once("close", resolve)));
    onTestFinished(() => void pod.close());
    await once(pod.listen(0, "127.0.0.1"), "listening");
    const { file } = await setUp(0);
    const write = (...labels: string[]) =>
      writeFile(
        file,
        `endpoints: [${labels.map((engine) => `{name: a, address: 127.0.0.1, port: "${(pod.address() as AddressInfo).port}", labels: {llm-d.ai/engine-type: ${engine}}}`).join()}]`,
      );
    await write("sglang");
    const { pool } = await startPool({ endpointsFile: file });
    const { driver, scrapers } = pool;
    await until(() => scrapers[0].counts.extract > 0);
    expect(scrapers[0].counts.rows).toBe(0);
    await write("vllm");
    await until(() => scrapers[0].counts.rows > 0);
    driver.drain();
    const slot = driver.core.endpoints.slotOf("default/a");
    expect([slot, driver.core.endpoints.waiting[slot], driver.core.endpoints.generation[slot]]).toEqual([0, 3, 1]);
    await write();
    await closed;
    expect(driver.core.endpoints.size).toBe(0);
  });

  it("tells each event to the recorder, scrapes too", async () => {
    const { file } = await setUp();
    const events: CoreEvent[] = [];
    const { pool } = await startPool({ endpointsFile: file, record: (event) => void events.push(event) });
    await until(() => scraped(pool).every(Boolean));
    expect(events.slice(0, 3).map(({ type }) => type)).toEqual([
      "configLoaded",
      "endpointUpserted",
      "endpointUpserted",
    ]);
    expect(events.some(({ type }) => type === "signals")).toBe(true);
  });

  it("says once that a pod's metrics do not come, goes on, and says it again after it had recovered", async () => {
    const { fleet, file } = await setUp();
    fleet.pods[0].faults = { metrics: "error" };
    const { pool, problems } = await startPool({ endpointsFile: file });
    const polls = () => pool.scrapers[0].counts.poll;
    await until(() => polls() >= 10);
    const told = expect.stringMatching(
      /^Cannot scrape default\/pod-0 at 127\.0\.0\.1:\d+: status 500 \(metrics-data-source\); what was known of it stays$/,
    );
    expect(problems).toEqual([told]);
    expect(scraped(pool)).toEqual([false, true]);
    fleet.pods[0].faults = {};
    await until(() => scraped(pool).every(Boolean));
    fleet.pods[0].faults = { metrics: "error" };
    const before = polls();
    await until(() => polls() >= before + 5);
    expect(problems).toEqual([told, told]);
  });

  it("refuses to start without endpoints or with a broken config, in words", async () => {
    const { file } = await setUp();
    await expect(startPool({})).rejects.toThrow(/^Cannot find endpoints: .*dataLayer\.discovery/);
    await expect(startPool({ endpointsFile: `${file}.gone` })).rejects.toThrow("no such file");
    await expect(startPool({ source: { text: "plugins: 5", options: {} }, endpointsFile: file })).rejects.toThrow(
      "Cannot use config",
    );
  });
});
