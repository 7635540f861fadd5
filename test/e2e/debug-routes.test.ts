import { gunzipSync } from "node:zlib";
import { Registry } from "prom-client";
import { describe, expect, it, onTestFinished } from "vitest";
import { ProtoReader, WIRE } from "../../src/core/proto-reader.ts";
import type { Plan } from "../../src/core/plan.ts";
import type { PluginInstance } from "../../src/core/plugin.ts";
import { startMetricsServer } from "../../src/observability/metrics-server.ts";
import { startStack } from "../support/stack.ts";

const instance = (name: string, plugin: PluginInstance) => ({ name, type: `${name}-type`, plugin });
const plan = {
  plugins: [
    instance("silent", {}),
    instance("busy", {
      gauges: () => ({ requests: 3 }),
      counters: () => [{ counter: "seen_total", labels: { model_name: "m" }, value: 2 }],
      histograms: () => [{ histogram: "ratio", counts: Float64Array.of(1, 2, 4), sum: 2.5 }],
    }),
    instance("broken", {
      gauges: () => {
        throw new Error("no");
      },
    }),
  ],
} as unknown as Plan;

async function start(pprof: boolean): Promise<string> {
  const server = await startMetricsServer(new Registry(), {
    host: "127.0.0.1",
    port: 0,
    debug: { plan: () => plan, pprof },
  });
  onTestFinished(() => server.stop());
  return `http://127.0.0.1:${server.port}/debug`;
}

describe("state of plugins", () => {
  it("is told by name, with what each counts and measures", async () => {
    const response = await fetch(`${await start(false)}/plugins/state`);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    const { timestamp, plugins } = (await response.json()) as { timestamp: string; plugins: object };
    expect(Date.parse(timestamp)).toBeGreaterThan(0);
    expect(plugins).toEqual({
      silent: { name: "silent", type: "silent-type", message: "plugin does not support state collection" },
      busy: {
        name: "busy",
        type: "busy-type",
        state: {
          gauges: { requests: 3 },
          counters: [{ counter: "seen_total", labels: { model_name: "m" }, value: 2 }],
          histograms: [{ histogram: "ratio", count: 7, sum: 2.5 }],
        },
      },
      broken: { name: "broken", type: "broken-type", message: "plugin failed to tell its state: Error: no" },
    });
  });

  it.each(["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])("is not for %s", async (method) => {
    const response = await fetch(`${await start(false)}/plugins/state`, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET");
  });
});

/** Fields of a protobuf message, by number: numbers, and bytes of what is nested or text. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly (number | Uint8Array)[]> {
  const reader = new ProtoReader(bytes);
  const fields = new Map<number, (number | Uint8Array)[]>();
  while (reader.next()) {
    const value = reader.wire === WIRE.varint ? reader.varint() : reader.bytes();
    fields.set(reader.field, [...(fields.get(reader.field) ?? []), value]);
  }
  return fields;
}

/** A profile's stacks by function names, outermost first, with their values. */
function readProfile(gzipped: Uint8Array) {
  const profile = fieldsOf(gunzipSync(gzipped));
  const nested = (field: number) => (profile.get(field) ?? []).map((bytes) => fieldsOf(bytes as Uint8Array));
  const texts = (profile.get(6) ?? []).map((bytes) => Buffer.from(bytes as Uint8Array).toString());
  const first = (fields: ReturnType<typeof fieldsOf>, field: number) => (fields.get(field)?.[0] ?? 0) as number;
  const names = new Map(nested(5).map((fields) => [first(fields, 1), texts[first(fields, 2)]]));
  const places = new Map(
    nested(4).map((fields) => [first(fields, 1), names.get(first(fieldsOf(fields.get(4)![0] as Uint8Array), 1))!]),
  );
  expect(texts[0]).toBe("");
  return {
    types: nested(1).map((fields) => `${texts[first(fields, 1)]}/${texts[first(fields, 2)]}`),
    samples: nested(2).map((fields) => ({
      stack: (fields.get(1) ?? []).map((id) => places.get(id as number)!).toReversed(),
      values: (fields.get(2) ?? []) as readonly number[],
    })),
  };
}

/** A profile that has the function in it: a short one on a busy machine may have missed it, and is taken again. */
async function profiled(url: string, name: string) {
  for (let left = 20; ; left--) {
    const profile = readProfile(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    if (left === 0 || profile.samples.some(({ stack }) => stack.includes(name))) return profile;
  }
}

describe("profiles", () => {
  it("of the CPU name what ran, with its time", async () => {
    const base = await start(true);
    const busy = setInterval(burnSomeTime, 1);
    const { types, samples } = await profiled(`${base}/pprof/profile?seconds=0.3`, "burnSomeTime");
    clearInterval(busy);
    expect(types).toEqual(["samples/count", "cpu/nanoseconds"]);
    expect(samples.some(({ stack }) => stack.includes("burnSomeTime"))).toBe(true);
    for (const { values } of samples) expect(values).toEqual([expect.any(Number), expect.any(Number)]);
    expect(samples.some(({ stack }) => stack.includes("(idle)"))).toBe(false);
  });

  it("of memory name who allocated what is in use", async () => {
    const base = await start(true);
    const kept: unknown[] = [];
    const busy = setInterval(() => kept.push(holdSomeMemory()), 1);
    const { types, samples } = await profiled(`${base}/pprof/heap?seconds=0.3`, "holdSomeMemory");
    clearInterval(busy);
    expect(types).toEqual(["inuse_objects/count", "inuse_space/bytes"]);
    expect(samples.some(({ stack, values }) => stack.includes("holdSomeMemory") && values[1] > 0)).toBe(true);
    expect(kept.length).toBeGreaterThan(0);
  });

  it("are taken one at a time, and those that were left make room for the next", async () => {
    const base = await start(true);
    const leave = new AbortController();
    const left = fetch(`${base}/pprof/profile?seconds=60`, { signal: leave.signal });
    left.catch(() => undefined);
    await expect.poll(async () => (await fetch(`${base}/pprof/heap?seconds=0.01`)).status).toBe(409);
    leave.abort();
    await expect.poll(async () => (await fetch(`${base}/pprof/heap?seconds=0.01`)).status).toBe(200);
  });

  it.each(["0", "-1", "x", "1e9", "NaN", "Infinity", ""])("of %s seconds are refused", async (seconds) => {
    const response = await fetch(`${await start(true)}/pprof/profile?seconds=${seconds}`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("expected a number above 0 and up to 300");
  });

  it("are not there where they are switched off", async () => {
    const base = await start(false);
    for (const path of ["pprof/", "pprof/profile?seconds=0.1", "pprof/heap"]) {
      expect((await fetch(`${base}/${path}`)).status).toBe(404);
    }
    expect((await fetch(`${await start(true)}/pprof/`)).status).toBe(200);
  });
});

function burnSomeTime(): number {
  let sum = 0;
  for (let i = 0; i < 300_000; i++) sum += i % 7;
  return sum;
}

function holdSomeMemory(): unknown {
  return Array.from({ length: 20_000 }, (_, i) => ({ i }));
}

describe("warmpath epp with --enable-grpc-stream-metrics", () => {
  it("tells of its streams, its build and its plugins, and gives profiles", async () => {
    const stack = await startStack({ flags: ["--enable-grpc-stream-metrics"] });
    const base = stack.metricsUrl.replace(/metrics$/, "debug");
    const chat = (content: string) =>
      fetch(`${stack.url}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify({ model: "my-model", messages: [{ role: "user", content }] }),
      });
    for (const content of ["a", "b", "a secret prompt"])
      expect((await (await chat(content)).text()).length).toBeGreaterThan(0);
    // Envoy ends its streams by breaking them off: that is well.
    await expect.poll(() => stack.metric('llm_d_epp_extproc_streams_total{code="OK"}')).toBe(3);
    expect(await stack.metric("llm_d_epp_extproc_streams_inflight")).toBe(0);
    expect(await stack.metric("llm_d_epp_extproc_stream_duration_seconds_count")).toBe(3);
    const page = await (await fetch(stack.metricsUrl)).text();
    expect(page).toMatch(/^llm_d_epp_info\{build_ref="[^"]+",commit="[^"]+"\} 1$/m);
    const state = await (await fetch(`${base}/plugins/state`)).text();
    const { plugins } = JSON.parse(state) as { plugins: Record<string, object> };
    expect(plugins["inflight-load-producer"]).toMatchObject({
      type: "inflight-load-producer",
      state: { gauges: { inflight_requests: 0 } },
    });
    expect(state).not.toContain("secret");
    const profile = await fetch(`${base}/pprof/profile?seconds=0.2`);
    expect(readProfile(new Uint8Array(await profile.arrayBuffer())).types).toContain("cpu/nanoseconds");
  });

  it("has no profiles with --enable-pprof=false", async () => {
    const stack = await startStack({ flags: ["--enable-pprof=false"] });
    const base = stack.metricsUrl.replace(/metrics$/, "debug");
    expect((await fetch(`${base}/pprof/profile?seconds=0.1`)).status).toBe(404);
    expect((await fetch(`${base}/plugins/state`)).status).toBe(200);
  });
});
