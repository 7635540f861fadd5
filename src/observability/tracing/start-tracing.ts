import type { Tracer } from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  ParentBasedSampler,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Env } from "../../core/env.ts";
import type { CoreDriver } from "../../server/core-driver.ts";
import { ExchangeTrace } from "./exchange-trace.ts";
import { RunTimeline } from "./run-timeline.ts";
import type { TraceSettings } from "./trace-settings.ts";

/** Finished spans that wait for the exporter; beyond, they are dropped. */
const SPANS_QUEUED_MAX = 2048;
/** Longest text of an attribute; more is cut off. */
const ATTRIBUTE_CHARS_MAX = 512;
/** How long the last spans have to leave when the picker stops. */
const FLUSH_MS_MAX = 5000;
const SERVICE_NAME = "llm-d-epp";
/** The stock EPP's instrumentation scopes. */
const SCOPES = {
  request: "llm-d-router/pkg/epp/handlers",
  orchestration: "llm-d-router/pkg/epp/requestcontrol",
  scheduling: "llm-d-router/pkg/epp/scheduling",
} as const;

/** Traces of one picker. */
export interface Tracing {
  /** To be called by the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]>;
  /** The trace of one exchange. */
  open(): ExchangeTrace;
  /** Begins to time what the core decides. */
  attach(driver: CoreDriver): void;
  /** Sends what is left, for at most `FLUSH_MS_MAX`. */
  stop(): Promise<void>;
}

/**
 * Starts the OpenTelemetry SDK; endpoint, TLS and headers of the OTLP exporter come from the environment, as its own
 * documentation says. Nothing else of the project loads these packages: without traces they cost nothing.
 *
 * @param problem told in words when spans cannot be sent
 */
export function startTracing(settings: TraceSettings, problem: (message: string) => void): Tracing {
  setGlobalErrorHandler((error) => {
    problem(`Cannot send traces: ${error instanceof Error ? error.message : "the exporter failed"}`);
  });
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ "service.name": SERVICE_NAME }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(settings),
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_CHARS_MAX },
    spanProcessors: [processorOf(settings)],
  });
  const nowMs = () => performance.now();
  const timeline = new RunTimeline(nowMs);
  let attached: CoreDriver | undefined;
  const options = {
    tracers: {
      request: provider.getTracer(SCOPES.request),
      orchestration: provider.getTracer(SCOPES.orchestration),
      scheduling: provider.getTracer(SCOPES.scheduling),
    } satisfies Record<string, Tracer>,
    propagator: new W3CTraceContextPropagator(),
    timeline,
    typeOf: (plugin: string) => attached?.core.plan.plugins.find(({ name }) => name === plugin)?.type ?? plugin,
    nowMs,
    dateMs: () => Date.now(),
  };
  return {
    probe: timeline.probe,
    open: () => new ExchangeTrace(options),
    attach(driver) {
      attached = driver;
      driver.observe((notice) => timeline.observe(notice));
    },
    async stop() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_MS_MAX)));
      try {
        await Promise.race([provider.shutdown(), late]);
      } catch (error) {
        problem(`Cannot send the last traces: ${error instanceof Error ? error.message : "the exporter failed"}`);
      }
      clearTimeout(timer);
    },
  };
}

function processorOf({ exporter }: TraceSettings): SpanProcessor {
  if (exporter === "console") return new SimpleSpanProcessor({ exporter: new ConsoleSpanExporter() });
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), maxQueueSize: SPANS_QUEUED_MAX });
}

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    default:
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
