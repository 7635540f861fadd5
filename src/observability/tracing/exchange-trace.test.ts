import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { compilePlan } from "../../config/compile-plan.ts";
import { ALWAYS, BOTH, configOf, prompt } from "../../config/test-support/disagg-scene.ts";
import { endpoint, facts } from "../../core/test-support/test-plan.ts";
import { bytesOf, textOf } from "../../core/text.ts";
import { CoreDriver } from "../../server/core-driver.ts";
import { ExchangeTrace } from "./exchange-trace.ts";
import { RunTimeline } from "./run-timeline.ts";

const DATE_MS = 1_800_000_000_000;

/** Traces over a real core with the config, on a clock that goes on by a millisecond with each look. */
function traced(config: string, roles: Readonly<Record<string, string>>, { sampler = new AlwaysOnSampler() } = {}) {
  let nowMs = 0;
  const clock = () => nowMs++;
  const timeline = new RunTimeline(clock);
  const driver = new CoreDriver({ compile: compilePlan, seed: 1, nowUs: () => 0, probe: timeline.probe });
  driver.observe((notice) => timeline.observe(notice));
  driver.load({ text: config, options: {} });
  for (const [name, role] of Object.entries(roles)) {
    driver.upsert({ ...endpoint(name, `10.0.0.${name.charCodeAt(0)}`), labels: { "llm-d.ai/role": role } });
  }
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracer = provider.getTracer("test");
  const open = () =>
    new ExchangeTrace({
      tracers: { request: tracer, orchestration: tracer, scheduling: tracer },
      propagator: new W3CTraceContextPropagator(),
      timeline,
      typeOf: (plugin) => driver.core.plan.plugins.find(({ name }) => name === plugin)?.type ?? plugin,
      nowMs: clock,
      dateMs: () => DATE_MS + nowMs,
    });
  /** One exchange as the machine tells it. */
  const exchange = (headers: Record<string, string> = {}): ExchangeTrace => {
    const trace = open();
    trace.requestHeaders(new Map(Object.entries(headers).map(([name, value]) => [name, bytesOf(value)])), "r");
    trace.requestComplete();
    driver.arrive(facts(0, prompt(64)), {
      decided(decision) {
        if (decision.outcome.kind === "rejected") {
          const { facts: asked, targetModel, fairnessId, priority } = decision;
          trace.refused(decision.outcome.rejection.code, { model: asked.model, targetModel, fairnessId, priority });
          return;
        }
        trace.traceHeaders();
        trace.routed(decision);
      },
    });
    return trace;
  };
  return { exporter, open, exchange };
}

const CONFIG = configOf(ALWAYS, BOTH);
const spansOf = ({ exporter }: ReturnType<typeof traced>) => exporter.getFinishedSpans();
const namesOf = (spans: readonly ReadableSpan[]) => spans.map(({ name }) => name);
const nanosOf = ([seconds, nanos]: readonly [number, number]) => BigInt(seconds) * 1_000_000_000n + BigInt(nanos);

describe("ExchangeTrace", () => {
  it("tells of each profile's run, and each span is within its parent", () => {
    const scene = traced(CONFIG, { p: "prefill", q: "prefill", d: "decode" });
    scene.exchange().closed();
    const spans = spansOf(scene);
    const idOf = (name: string) => spans.filter((span) => span.name === name).map((span) => span.spanContext().spanId);
    const [orchestration] = idOf("gateway.request_orchestration");
    const runs = spans.filter(({ name }) => name === "run_scheduler_profile");
    expect(runs.map(({ attributes }) => attributes["llm_d.epp.scheduling.profile.name"])).toEqual([
      "decode",
      "prefill",
    ]);
    expect(runs.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([orchestration, orchestration]);
    for (const [i, scorers] of [
      ["active-request-scorer", "prefix-cache-scorer"],
      ["prefix-cache-scorer", "queue-scorer"],
    ].entries()) {
      const within = spans.filter((span) => span.parentSpanContext?.spanId === runs[i].spanContext().spanId);
      expect(namesOf(within)).toEqual(["filter_endpoints", "llm_d.epp.scoring", "pick_endpoints"]);
      const scoring = within[1].spanContext().spanId;
      expect(namesOf(spans.filter((span) => span.parentSpanContext?.spanId === scoring))).toEqual(
        scorers.map((type) => `llm_d.epp.scorer.${type}`),
      );
      expect(within[2].attributes["llm_d.epp.picker.top_endpoints"]).toEqual(
        i === 0 ? ["default/d"] : expect.arrayContaining(["default/p", "default/q"]),
      );
    }
    const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]));
    for (const span of spans) {
      const parent = byId.get(span.parentSpanContext?.spanId ?? "");
      expect(nanosOf(span.endTime)).toBeGreaterThanOrEqual(nanosOf(span.startTime));
      expect(span.startTime[0]).toBe(DATE_MS / 1000);
      if (!parent) continue;
      expect(nanosOf(span.startTime)).toBeGreaterThanOrEqual(nanosOf(parent.startTime));
      expect(nanosOf(span.endTime)).toBeLessThanOrEqual(nanosOf(parent.endTime));
    }
  });

  it("tells of a refusal by its code", () => {
    const scene = traced(CONFIG, { p: "prefill" });
    scene.exchange().closed();
    const [orchestration, request] = spansOf(scene);
    const status = { code: 2, message: "ResourceExhausted" };
    expect(orchestration).toMatchObject({ name: "gateway.request_orchestration", status });
    expect(request).toMatchObject({ name: "gateway.request", status });
  });

  it("takes its parent and trace state from the headers and sends its own span on", () => {
    const scene = traced(CONFIG, { d: "decode" });
    const id = "0af7651916cd43dd8448eb211c80319c";
    const trace = scene.exchange({ traceparent: `00-${id}-b7ad6b7169203331-01`, tracestate: "v=1" });
    const headers = Object.fromEntries(trace.traceHeaders().map(({ key, value }) => [key, textOf(value)]));
    trace.closed();
    const request = spansOf(scene).at(-1)!;
    expect(request.parentSpanContext).toMatchObject({ traceId: id, spanId: "b7ad6b7169203331", isRemote: true });
    expect(headers).toEqual({ traceparent: `00-${id}-${request.spanContext().spanId}-01`, tracestate: "v=1" });
    expect(trace.traceId).toBe(id);
  });

  it.each(["", "00-1-2-01", `00-${"0".repeat(32)}-b7ad6b7169203331-01`, "x".repeat(100)])(
    "begins a trace of its own where traceparent is %j",
    (traceparent) => {
      const scene = traced(CONFIG, { d: "decode" });
      scene.exchange({ traceparent }).closed();
      const request = spansOf(scene).at(-1)!;
      expect(request.parentSpanContext).toBeUndefined();
      expect(request.spanContext().traceId).toMatch(/^[0-9a-f]{32}$/);
    },
  );

  it("tells nothing of what is not sampled, but names it to the next hop", () => {
    const scene = traced(CONFIG, { d: "decode" }, { sampler: new AlwaysOffSampler() });
    const trace = scene.exchange();
    const [{ value }] = trace.traceHeaders();
    trace.closed();
    expect(spansOf(scene)).toEqual([]);
    expect(textOf(value)).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it("ends its span once, also of a body that came without headers", () => {
    const scene = traced(CONFIG, { d: "decode" });
    const trace = scene.open();
    trace.requestComplete();
    trace.modelServerError();
    trace.closed();
    trace.closed();
    expect(spansOf(scene)).toMatchObject([{ name: "gateway.request", status: { message: "ModelServerError" } }]);
    const unseen = scene.open();
    unseen.closed();
    expect(spansOf(scene)).toHaveLength(1);
  });
});
