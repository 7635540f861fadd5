import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64 } from "./base64.ts";
import { endLine, eventLine, headerLine, readHeader, readLine } from "./event-log.ts";
import { DEFAULT_CORE_LIMITS } from "./core-limits.ts";
import type { CoreEvent } from "./events.ts";
import { facts } from "./test-support/test-plan.ts";

describe("an event log", () => {
  it("gives back any signals bit for bit, NaN, infinities and negative zero too", () => {
    const row = fc.record({ slot: fc.nat(), generation: fc.nat(), waiting: fc.double(), kvUsage: fc.double() });
    fc.assert(
      fc.property(fc.array(row), fc.nat(), (rows, atUs) => {
        const event: CoreEvent = { type: "signals", atUs, rows };
        const read = readLine(eventLine(event, 7), 2);
        expect(read).toEqual({ kind: "event", number: 7, event });
      }),
    );
  });

  it("gives back block ids word for word", () => {
    fc.assert(
      fc.property(fc.uint32Array(), (ids) => {
        const event: CoreEvent = { type: "askAnswered", atUs: 1, ask: 2, value: { prompts: [{ tokens: 3, ids }] } };
        expect(readLine(eventLine(event, 0), 2)).toEqual({ kind: "event", number: 0, event });
      }),
    );
  });

  it("gives back a request's media", () => {
    const media = [{ modality: "image", hash: "9f", prompt: 0, offsetTokens: 1, lengthTokens: 225 }];
    const event: CoreEvent = { type: "requestArrived", atUs: 1, facts: facts(1, { media }) };
    expect(readLine(eventLine(event, 0), 2)).toEqual({ kind: "event", number: 0, event });
  });

  it("refuses what is no log, a newer version and a broken line, saying which", () => {
    expect(() => readHeader("{}")).toThrow(/line 1 is no header/);
    expect(() => readHeader('{"format":"warmpath-events","version":99,"seed":1}')).toThrow(
      /found version 99, expected at most 1/,
    );
    expect(() => readLine('{"n":1', 12)).toThrow(/line 12/);
    expect(() => readLine("{}", 3)).toThrow(/line 3 is no event/);
    expect(readHeader(headerLine(5, DEFAULT_CORE_LIMITS)).seed).toBe(5);
    expect(readLine(endLine({ events: 1, decisions: 2, hash: "x" }), 9)).toMatchObject({ kind: "end" });
  });
});

describe("base64", () => {
  it("equals Node's, and decodes what it encodes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
        expect(fromBase64(toBase64(bytes))).toEqual(new Uint8Array(bytes));
      }),
    );
  });

  it.each(["abc", "ab=c", "a===", "ab#="])("refuses %j", (text) =>
    expect(() => fromBase64(text)).toThrow(/Cannot decode base64/),
  );
});
