import type { Attributes, Context, HrTime, Span, TextMapGetter, TextMapPropagator, Tracer } from "@opentelemetry/api";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Decision } from "../../core/decision.ts";
import type { RejectionCode } from "../../core/rejection.ts";
import { bytesOf } from "../../core/text.ts";
import type { ExchangeMeter, MeteredRequest } from "../../protocol/exchange-meter.ts";
import { headerText, type HeaderValues } from "../../protocol/header-rules.ts";
import type { HeaderField } from "../../protocol/messages.ts";
import { tellRun } from "./run-spans.ts";
import type { RunTimeline } from "./run-timeline.ts";

export interface ExchangeTraceOptions {
  /** Tracers of the stock EPP's scopes. */
  readonly tracers: { readonly request: Tracer; readonly orchestration: Tracer; readonly scheduling: Tracer };
  readonly propagator: TextMapPropagator;
  readonly timeline: RunTimeline;
  readonly typeOf: (plugin: string) => string;
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970. */
  readonly dateMs: () => number;
}

const getter: TextMapGetter<HeaderValues> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, name) => headerText(headers, name),
};

/**
 * The trace of one exchange, with the stock EPP's names (`spec/epp-core.md` 7.4): gateway.request from the request's
 * headers to the end of the stream, in it gateway.request_orchestration from the whole body to the decision, in that the
 * scheduler's run. Nothing of a body or of an error's text gets into it.
 */
export class ExchangeTrace implements ExchangeMeter {
  readonly #options: ExchangeTraceOptions;
  readonly #openedMs: number;
  /** From the clock to the date. One for all spans, or they would not fit into one another. */
  readonly #dateOffsetMs: number;
  #span: Span | undefined;
  #context: Context = ROOT_CONTEXT;
  #requestId: string | undefined;
  #completeMs = -1;
  #decidedMs = -1;
  #isTimed = false;
  #isClosed = false;

  constructor(options: ExchangeTraceOptions) {
    this.#options = options;
    this.#openedMs = options.nowMs();
    this.#dateOffsetMs = options.dateMs() - this.#openedMs;
  }

  /** Id of the trace, 32 hex digits; "" before the request's headers came. */
  get traceId(): string {
    return this.#span?.spanContext().traceId ?? "";
  }

  requestHeaders(headers: HeaderValues, requestId: string): void {
    this.#requestId = requestId;
    this.#begin(this.#options.propagator.extract(ROOT_CONTEXT, headers, getter));
  }

  requestComplete(): void {
    this.#completeMs = this.#options.nowMs();
    if (!this.#span) this.#begin(ROOT_CONTEXT);
    if (!this.#span?.isRecording()) return;
    this.#isTimed = true;
    this.#options.timeline.want();
  }

  /** Headers for the next hop; to be asked when the request is decided. */
  traceHeaders(): readonly HeaderField[] {
    this.#decidedMs = this.#options.nowMs();
    const fields: HeaderField[] = [];
    this.#options.propagator.inject(this.#context, fields, {
      set: (carrier, key, value) => void carrier.push({ key, value: bytesOf(value) }),
    });
    return fields;
  }

  routed(decision: Decision): void {
    if (!this.#span?.isRecording() || decision.facts.bodyless) return;
    const { targetModel, priority, sequence } = decision;
    const orchestration = this.#orchestration({ target_model: targetModel, request_prio: priority });
    const record = decision.record();
    const { timeline, typeOf, tracers } = this.#options;
    const calls = timeline.of(sequence);
    if (record && calls.length > 0) {
      const context = trace.setSpan(this.#context, orchestration);
      const run = { tracer: tracers.scheduling, typeOf, time: (ms: number) => this.#time(ms) };
      tellRun(run, context, calls, record, this.#requestAttributes(targetModel));
    }
    orchestration.end(this.#time(this.#decidedMs));
    this.#endTiming();
  }

  refused(code: RejectionCode, { targetModel, priority }: MeteredRequest): void {
    if (!this.#span?.isRecording()) return;
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    if (this.#completeMs < 0) return;
    const orchestration = this.#orchestration({ target_model: targetModel, request_prio: priority });
    orchestration.setStatus({ code: SpanStatusCode.ERROR, message: code });
    orchestration.end(this.#time(this.#options.nowMs()));
  }

  responseHeaders(): void {}

  modelServerError(): void {
    this.#span?.setStatus({ code: SpanStatusCode.ERROR, message: "ModelServerError" });
  }

  responseBody(): void {}

  responseHandled(): void {}

  responseComplete(): void {}

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endTiming();
    this.#span?.end(this.#time(this.#options.nowMs()));
  }

  #begin(parent: Context): void {
    const { tracers } = this.#options;
    const startTime = this.#time(this.#openedMs);
    const options = { kind: SpanKind.SERVER, startTime, attributes: this.#requestAttributes("") };
    this.#span = tracers.request.startSpan("gateway.request", options, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  #endTiming(): void {
    if (this.#isTimed) this.#options.timeline.leave();
    this.#isTimed = false;
  }

  #orchestration(attributes: Attributes): Span {
    const options = { kind: SpanKind.SERVER, startTime: this.#time(this.#completeMs), attributes };
    return this.#options.tracers.orchestration.startSpan("gateway.request_orchestration", options, this.#context);
  }

  #time(ms: number): HrTime {
    const dateMs = ms + this.#dateOffsetMs;
    const seconds = Math.floor(dateMs / 1000);
    return [seconds, Math.floor((dateMs - seconds * 1000) * 1e6)];
  }

  #requestAttributes(model: string): Attributes {
    return {
      ...(model !== "" && { "gen_ai.request.model": model }),
      ...(this.#requestId !== undefined && { "gen_ai.request.id": this.#requestId }),
    };
  }
}
