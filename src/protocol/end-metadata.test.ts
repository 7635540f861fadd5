import { describe, expect, it } from "vitest";
import { BODY_MODE } from "./messages.ts";
import { BODY, duplex, heard, incoming, PATH, play, POD, scripted } from "./test-support/scripted-host.ts";

const { requestHeaders, requestBody, responseHeaders, responseBody, responseTrailers } = incoming;

const STREAM = '{"model":"m","stream":true}';
const OK = responseHeaders({ ":status": "200" });
const TOLD = new Map([["envoy.lb", new Map([["cost", 18]])]]);
const METADATA = { "envoy.lb": { cost: 18 } };

describe("what plugins tell the proxy with the end of a response", () => {
  const routed = (body: string, mode: number = BODY_MODE.fullDuplexStreamed) => {
    const run = scripted({ targets: [POD] }, {}, TOLD);
    play(run, requestHeaders(PATH, { config: duplex(mode) }), requestBody(body, true));
    return run;
  };
  /** Kinds of the messages that went out for the response, each with its metadata. */
  const told = (run: ReturnType<typeof routed>) =>
    run.sent
      .filter(({ kind }) => kind.startsWith("response"))
      .map((message) => [message.kind, "dynamicMetadata" in message ? message.dynamicMetadata : undefined]);

  it("goes with the last message of a streamed body, and no other", () => {
    const run = routed(STREAM);
    play(run, OK, responseBody("a"), responseBody("b".repeat(70_000), true));
    expect(told(run)).toEqual([
      ["responseHeaders", undefined],
      ["responseBody", undefined],
      ["responseBody", undefined],
      ["responseBody", METADATA],
    ]);
  });

  it("goes with the last message of a body that was held back", () => {
    const run = routed(BODY);
    play(run, OK, responseBody("a"), responseBody("b", true));
    expect(told(run)).toEqual([
      ["responseHeaders", undefined],
      ["responseBody", METADATA],
    ]);
  });

  it("goes with the body where trailers end it, else with the trailers", () => {
    const whole = routed(BODY);
    play(whole, OK, responseBody("a"), responseTrailers());
    expect(told(whole)).toEqual([
      ["responseHeaders", undefined],
      ["responseBody", METADATA],
      ["responseTrailers", undefined],
    ]);
    const streamed = routed(STREAM);
    play(streamed, OK, responseBody("a"), responseTrailers());
    expect(told(streamed)).toEqual([
      ["responseHeaders", undefined],
      ["responseBody", undefined],
      ["responseTrailers", METADATA],
    ]);
  });

  it("goes with the headers of a response without a body", () => {
    const run = routed(BODY);
    play(run, responseHeaders({ ":status": "204" }, { endOfStream: true }));
    expect(told(run)).toEqual([["responseHeaders", METADATA]]);
  });

  for (const mode of [BODY_MODE.streamed, BODY_MODE.buffered]) {
    it(`goes with the one answer of a body under mode ${mode}`, () => {
      const run = routed(BODY, mode);
      play(run, OK, responseBody("a", true));
      expect(told(run).at(-1)).toEqual(["responseBody", METADATA]);
    });
  }

  it("goes nowhere when the response is broken off", () => {
    const run = routed(STREAM);
    play(run, OK, responseBody("a"));
    run.machine.closed("reset");
    expect(told(run).map(([, metadata]) => metadata)).toEqual([undefined, undefined]);
    expect(heard(run).at(-1)).toBe("ended client-disconnect");
  });

  it("is asked for once, so that what follows the end carries nothing", () => {
    const run = routed(STREAM);
    play(run, OK, responseBody("a", true), responseBody("b", true), responseTrailers());
    expect(told(run).map(([, metadata]) => metadata)).toEqual([undefined, METADATA, undefined, undefined]);
  });

  it("can name a namespace as it likes", () => {
    const odd = new Map([["__proto__", new Map([["__proto__", 1]])]]);
    const run = scripted({ targets: [POD] }, {}, odd);
    play(run, requestHeaders(PATH), requestBody(STREAM, true), OK, responseBody("a", true));
    const [, metadata] = told(run).at(-1)!;
    expect(Object.keys(metadata as object)).toEqual(["__proto__"]);
    expect({}).not.toHaveProperty("__proto__.__proto__", 1);
  });
});
