import type { Registry } from "prom-client";
import type { Decision } from "../core/decision.ts";
import type { Usage } from "../core/parser.ts";
import type { RejectionCode } from "../core/rejection.ts";
import type { ExchangeMeter, MeteredRequest } from "../protocol/exchange-meter.ts";
import { createLabelLimit } from "./label-limit.ts";
import { MetricFamily, type MetricRow, ROWS_MAX } from "./metric-family.ts";
import { EXCHANGE_FAMILIES, RESPONSES_FAMILY } from "./stock-families.ts";
import { TwinFamily, type TwinRow } from "./twin-family.ts";

type FamilyName = keyof typeof EXCHANGE_FAMILIES;

/** Rows of one label set, made as they are first needed. */
type RequestRows = (family: FamilyName, more?: string) => TwinRow;

const NOBODY: MeteredRequest = { model: "", targetModel: "", fairnessId: "default-flow", priority: 0 };

/** Measures exchanges into the stock EPP's families. */
export interface ExchangeMetrics {
  /** A meter for one exchange. */
  open(): ExchangeMeter;
}

/**
 * Families of requests and responses (`spec/epp-core.md` 8; stock: handlers/server.go, metrics/metrics.go).
 * @param nowSeconds a clock that never goes back
 */
export function createExchangeMetrics(registry: Registry, nowSeconds: () => number): ExchangeMetrics {
  const families = Object.fromEntries(
    Object.entries(EXCHANGE_FAMILIES).map(([key, spec]) => [key, new TwinFamily(spec, registry)]),
  ) as Record<FamilyName, TwinFamily>;
  const model = createLabelLimit();
  const fairness = createLabelLimit();
  const known = new Map<string, RequestRows>();
  const rows = (request: MeteredRequest): RequestRows => {
    const values = [
      model(request.model),
      model(request.targetModel),
      fairness(request.fairnessId),
      `${request.priority}`,
    ];
    const key = JSON.stringify(values);
    const found = known.get(key);
    if (found) return found;
    if (known.size >= ROWS_MAX) known.clear();
    const made = new Map<string, TwinRow>();
    const rowsOf: RequestRows = (family, more = "") => {
      const name = `${family}/${more}`;
      const row = made.get(name) ?? families[family].row(...values, ...(more === "" ? [] : [more]));
      made.set(name, row);
      return row;
    };
    known.set(key, rowsOf);
    return rowsOf;
  };
  const answered = new MetricFamily(RESPONSES_FAMILY, registry);
  const responses = ({ model: named, targetModel }: MeteredRequest, status: number) =>
    answered.row(model(named), model(targetModel), `${status}`);
  const shared = { nowSeconds, families, rows, responses };
  return { open: () => new Meter(shared) };
}

interface Shared {
  readonly nowSeconds: () => number;
  readonly families: Record<FamilyName, TwinFamily>;
  rows(request: MeteredRequest): RequestRows;
  responses(request: MeteredRequest, status: number): MetricRow;
}

class Meter implements ExchangeMeter {
  readonly #shared: Shared;
  #request = NOBODY;
  #rows: RequestRows | undefined;
  readonly #openedAt: number;
  #completeAt = -1;
  #firstByteAt = -1;
  /** True while the message is worked on that brought the first byte. */
  #isFirstPiece = false;
  #lastByteAt = -1;
  #responseBytes = 0;
  #isStream = false;
  #running: TwinRow | undefined;
  #responseBeganAt = -1;
  #responseSeconds = -1;
  #isComplete = false;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#openedAt = shared.nowSeconds();
  }

  requestComplete(): void {
    this.#completeAt = this.#shared.nowSeconds();
  }

  routed(decision: Decision, bodyBytes: number): void {
    if (bodyBytes < 0) return;
    const { facts, targetModel, fairnessId, priority } = decision;
    this.#request = { model: facts.model, targetModel, fairnessId, priority };
    this.#rows = undefined;
    this.#row("requests").add();
    this.#row("requestBytes").observe(bodyBytes);
    this.#endProcessing();
    if (facts.model === "") return;
    this.#running = this.#row("running");
    this.#running.add();
  }

  refused(code: RejectionCode, request: MeteredRequest): void {
    this.#request = request;
    this.#rows = undefined;
    this.#row("errors", code).add();
    this.#endProcessing();
  }

  responseHeaders(isStream: boolean, status: number): void {
    if (status > 0) this.#shared.responses(this.#request, status).add();
    this.#beginResponse();
    this.#isStream = isStream;
  }

  modelServerError(): void {
    this.#row("errors", "ModelServerError").add();
  }

  responseBody(bytes: number): void {
    this.#beginResponse();
    this.#responseBytes += bytes;
    if (bytes === 0) return;
    const now = this.#shared.nowSeconds();
    if (this.#firstByteAt < 0) {
      this.#firstByteAt = now;
      this.#isFirstPiece = true;
    } else if (this.#isStream) this.#row("itlSeconds").observe(now - this.#lastByteAt);
    this.#lastByteAt = now;
  }

  responseHandled(): void {
    this.#isFirstPiece = false;
    if (this.#responseBeganAt < 0) return;
    this.#responseSeconds = Math.max(0, this.#responseSeconds) + this.#shared.nowSeconds() - this.#responseBeganAt;
    this.#responseBeganAt = -1;
  }

  responseComplete(usage: Usage | undefined): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    const seconds = this.#shared.nowSeconds() - this.#openedAt;
    this.#row("durationSeconds").observe(seconds);
    this.#row("responseBytes").observe(this.#responseBytes);
    if (this.#firstByteAt >= 0) {
      this.#row("ttftSeconds", String(this.#isStream)).observe(this.#firstByteAt - this.#openedAt);
    }
    if (!usage) return;
    const { promptTokens, completionTokens, cachedTokens } = usage;
    if (promptTokens > 0) this.#row("inputTokens").observe(promptTokens);
    if (cachedTokens >= 0) this.#row("cachedTokens").observe(cachedTokens);
    if (completionTokens <= 0) return;
    this.#row("outputTokens").observe(completionTokens);
    this.#row("ntpotSeconds").observe(seconds / completionTokens);
    // As recorded, an answer that is whole with its first piece has none.
    if (!this.#isStream || completionTokens < 2 || this.#firstByteAt < 0 || this.#isFirstPiece) return;
    const streamedSeconds = seconds - (this.#firstByteAt - this.#openedAt);
    this.#row("tpotSeconds").observe(streamedSeconds / (completionTokens - 1));
  }

  closed(): void {
    this.responseHandled();
    this.#running?.add(-1);
    this.#running = undefined;
    if (this.#responseSeconds < 0) return;
    this.#shared.families.responseProcessingSeconds.row().observe(this.#responseSeconds);
    this.#responseSeconds = -1;
  }

  #beginResponse(): void {
    if (this.#responseBeganAt < 0) this.#responseBeganAt = this.#shared.nowSeconds();
  }

  #endProcessing(): void {
    if (this.#completeAt < 0) return;
    const seconds = this.#shared.nowSeconds() - this.#completeAt;
    this.#shared.families.requestProcessingSeconds.row().observe(seconds);
    this.#completeAt = -1;
  }

  #row(family: FamilyName, more?: string): TwinRow {
    this.#rows ??= this.#shared.rows(this.#request);
    return this.#rows(family, more);
  }
}
