import { describe, expect, it } from "vitest";
import { bytesOf } from "../core/text.ts";
import type { Decision } from "../core/decision.ts";
import { createExchangeLog, type TraceSource } from "./exchange-log.ts";
import { createLog } from "./log.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const traceparent = (value: string) => new Map([["traceparent", bytesOf(value)]]);
const decision = {
  facts: { model: "m".repeat(1000) },
  targetModel: "tuned",
  priority: 2,
  outcome: { kind: "picked", targets: ["10.0.0.1:8000", "10.0.0.2:8000"] },
} as unknown as Decision;
const request = { model: "m", targetModel: "t", fairnessId: "secret-flow", priority: 1 };

/** Lines of an exchange to which everything happens. */
function linesOf(verbosity: number, headers: Map<string, Uint8Array> = new Map(), trace?: TraceSource) {
  const lines: Record<string, unknown>[] = [];
  const log = createLog(verbosity, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const meter = createExchangeLog(log, verbosity)?.(trace);
  meter?.requestHeaders?.(headers, "r".repeat(300));
  meter?.requestComplete();
  meter?.routed(decision, 1);
  meter?.modelServerError();
  meter?.responseComplete({ promptTokens: 1, completionTokens: 2, cachedTokens: 0 });
  meter?.closed();
  meter?.closed();
  meter?.refused("BadRequest", request);
  return lines;
}
const saying = (verbosity: number) => linesOf(verbosity).map(({ level, msg }) => `${String(level)} ${String(msg)}`);

describe("createExchangeLog", () => {
  const byDefault = ["info EPP received request", "info Request refused"];
  it.each([
    [1, []],
    [2, byDefault],
    [3, [byDefault[0], "info Request handled", "info Model server answered with an error", byDefault[1]]],
    [
      4,
      [
        byDefault[0],
        "info Request handled",
        "info Model server answered with an error",
        "debug Response complete",
        "debug Stream closed",
        byDefault[1],
      ],
    ],
  ])("says with -v %i: %j", (verbosity, lines) => {
    expect(saying(verbosity)).toEqual(lines);
  });

  it("puts the request's id into each line, cut to 256 characters like the model's name", () => {
    const lines = linesOf(4);
    expect(lines.map((line) => line["x-request-id"])).toEqual(lines.map(() => "r".repeat(256)));
    expect(lines[1]).toMatchObject({
      incomingModelName: "m".repeat(256),
      targetModelName: "tuned",
      priority: 2,
      endpoint: "10.0.0.1:8000,10.0.0.2:8000",
    });
    expect(JSON.stringify(lines)).not.toContain("secret-flow");
  });

  it.each([
    ["of the traceparent", traceparent(`00-${TRACE_ID}-b7ad6b7169203331-01`), undefined, TRACE_ID],
    [
      "of the picker's own trace",
      traceparent(`00-${"1".repeat(32)}-b7ad6b7169203331-01`),
      { traceId: TRACE_ID },
      TRACE_ID,
    ],
    ["of none", new Map<string, Uint8Array>(), undefined, undefined],
    ["of no malformed traceparent", traceparent("00-what a client wrote-01"), undefined, undefined],
  ])("names the trace: %s", (_, headers, trace, id) => {
    expect(linesOf(4, headers, trace).map((line) => line["trace_id"])).toEqual(Array.from({ length: 6 }, () => id));
  });
});
