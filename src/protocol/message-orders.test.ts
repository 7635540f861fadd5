import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_CANDIDATES } from "../core/rejection.ts";
import { BodyAccount } from "./body-account.ts";
import { bodyBytesOf, type IncomingMessage } from "./messages.ts";
import { BODY, incoming, PATH, POD, scripted } from "./test-support/scripted-host.ts";

const { requestHeaders, requestBody, requestTrailers, responseHeaders, responseBody, responseTrailers } = incoming;

describe("any messages in any order", () => {
  const config = fc.option(fc.record({ requestBodyMode: fc.nat(6), responseBodyMode: fc.nat(6) }), { nil: undefined });
  const chunk = fc.constantFrom("", "{", BODY, "x".repeat(3000));
  const message: fc.Arbitrary<IncomingMessage> = fc.oneof(
    fc
      .tuple(config, fc.boolean())
      .map(([config, endOfStream]) => requestHeaders(PATH, { endOfStream, ...(config && { config }) })),
    fc.tuple(chunk, fc.boolean()).map(([body, end]) => requestBody(body, end)),
    fc.constant(requestTrailers()),
    fc.boolean().map((endOfStream) => responseHeaders({ ":status": "200" }, { endOfStream })),
    fc.tuple(chunk, fc.boolean()).map(([body, end]) => responseBody(body, end)),
    fc.constant(responseTrailers()),
    fc.constant<IncomingMessage>({ kind: "unknown", metadata: undefined, protocolConfig: undefined }),
  );
  const verdict = fc.constantFrom(
    { targets: [POD] },
    { targets: [POD], model: "target" },
    { reject: NO_CANDIDATES },
    "park" as const,
  );

  it("arrive at most once, end exactly once if they did, and leave nothing held", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 12 }),
        verdict,
        fc.nat(12),
        fc.constantFrom("finished", "reset", "error"),
        (messages, verdict, late, how) => {
          const run = scripted(verdict, {
            account: new BodyAccount(8000),
            limits: { bodyBytesMax: 5000, headersMax: 9, headerBytesMax: 999 },
          });
          let seen = 0;
          messages.forEach((message, i) => {
            run.machine.receive(message);
            for (; seen < run.sent.length; seen++) if (seen % 2 === 0) run.machine.flushed(bodyBytesOf(run.sent[seen]));
            if (i === late) run.decide({ targets: [POD] });
          });
          run.machine.closed(how);
          run.decide({ targets: [POD] });
          const count = (event: string) => run.events.filter((e) => e.event === event).length;
          expect(count("arrive")).toBeLessThanOrEqual(1);
          expect(count("ended")).toBe(count("arrive"));
          expect(count("finish")).toBeLessThanOrEqual(1);
          expect(run.account.bytes).toBe(0);
          expect(run.sent.filter(({ kind }) => kind === "immediate").length).toBeLessThanOrEqual(1);
          if (run.sent.some(({ kind }) => kind === "immediate")) expect(run.sent.at(-1)?.kind).toBe("immediate");
        },
      ),
      { numRuns: 3000 },
    );
  });
});
