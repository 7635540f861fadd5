import { describe, expect, it } from "vitest";
import { BodyAccount } from "./body-account.ts";
import { BODY_MODE } from "./messages.ts";
import {
  BODY,
  brief,
  duplex,
  heard,
  incoming,
  PATH,
  play,
  POD,
  REQUEST,
  scripted,
} from "./test-support/scripted-host.ts";

const { requestHeaders, requestBody, responseHeaders, responseBody, responseTrailers } = incoming;

describe("the response", () => {
  const routed = (model?: string, config = duplex(), body = BODY, options = {}) => {
    const run = scripted({ targets: [POD], ...(model !== undefined && { model }) }, options);
    play(run, requestHeaders(PATH, { config }), requestBody(body, true));
    return run;
  };
  const STREAM = '{"model":"m","stream":true}';
  const OK = responseHeaders({ ":status": "200" });

  it("has its headers set again, keys as received, less the picker's own", () => {
    const run = routed();
    const headers = responseHeaders([
      [":status", "200"],
      ["Set-Cookie", "a=1"],
      ["x-out", "1"],
      ["content-length", "2"],
      ["x-gateway-destination-endpoint-served", "1.1.1.1:1"],
      ["x-out", "2"],
      ["x-empty", ""],
    ]);
    expect(play(run, headers)).toEqual([
      {
        kind: "responseHeaders",
        headers: ["x-went-into-resp-headers: true", ":status: 200", "Set-Cookie: a=1", "x-out: 2", "x-empty: "],
      },
    ]);
  });

  it("is held back until it is whole when it is not streamed, and ends the request", () => {
    const run = routed();
    expect(play(run, OK, responseBody("{}"), responseBody(" "))).toHaveLength(1);
    expect(play(run, responseBody("x", true))).toEqual([{ kind: "responseBody", body: "{} x$" }]);
    expect(heard(run)).toEqual(["arrive", "responseStarted", "responseFirstByte", "ended natural"]);
    expect(run.events.at(-1)).toMatchObject({ usage: { promptTokens: 4 } });
  });

  it("is passed on chunk by chunk when the request asked for a stream", () => {
    const run = routed(undefined, duplex(), STREAM);
    play(run, OK);
    expect(play(run, responseBody("a"))).toEqual([{ kind: "responseBody", body: "a" }]);
    expect(play(run, responseBody(""))).toEqual([{ kind: "responseBody", body: "" }]);
    expect(play(run, responseBody(new Uint8Array(62_001)))).toMatchObject([{}, {}]);
    expect(play(run, responseBody("", true))).toEqual([{ kind: "responseBody", body: "$" }]);
  });

  it("is passed on chunk by chunk when it says text/event-stream", () => {
    const run = routed();
    play(run, responseHeaders({ ":status": "200", "content-type": "text/event-stream; charset=utf-8" }));
    expect(play(run, responseBody("data: {}\n\n"))).toEqual([{ kind: "responseBody", body: "data: {}\n\n" }]);
  });

  it("ends in trailers without end of stream on the body before them", () => {
    const run = routed();
    expect(play(run, OK, responseBody("{}"), responseTrailers())).toMatchObject([
      { kind: "responseHeaders" },
      { kind: "responseBody", body: "{}" },
      { kind: "responseTrailers" },
    ]);
    expect(play(routed(), OK, responseTrailers())).toMatchObject([
      { kind: "responseHeaders" },
      { kind: "responseTrailers" },
    ]);
    expect(heard(run).at(-1)).toBe("ended natural");
  });

  it("gets the model's name back", () => {
    const run = routed("target");
    expect(play(run, OK, responseBody('{"model": "t'), responseBody('arget"}', true)).at(-1)).toEqual({
      kind: "responseBody",
      body: '{"model": "m"}$',
    });
    const streamed = routed("target", duplex(), STREAM);
    play(streamed, OK);
    expect(play(streamed, responseBody('{"model":"target"}'))).toEqual([
      { kind: "responseBody", body: '{"model":"m"}' },
    ]);
  });

  it.each([
    ["STREAMED", BODY_MODE.streamed],
    ["BUFFERED", BODY_MODE.buffered],
    ["BUFFERED_PARTIAL", BODY_MODE.bufferedPartial],
  ])("is left in place under %s, one answer for each message", (_, mode) => {
    const run = routed(undefined, duplex(mode));
    expect(play(run, OK, responseBody("{}", true))).toMatchObject([
      { kind: "responseHeaders" },
      { kind: "responseBody" },
    ]);
    expect(brief(run.sent.at(-1)!)).toEqual({ kind: "responseBody" });
    expect(heard(run).at(-1)).toBe("ended natural");
    const renamed = routed("target", duplex(mode));
    const [headers, body] = play(renamed, OK, responseBody('{"model":"target"}', true));
    const length = mode === BODY_MODE.buffered && { headers: ["Content-Length: 13"] };
    expect(body).toEqual({ kind: "responseBody", body: '{"model":"m"}', whole: true, ...length });
    expect("removeHeaders" in headers).toBe(mode !== BODY_MODE.buffered);
  });

  it("without its body (NONE) ends with the stream", () => {
    const run = routed(undefined, duplex(BODY_MODE.none));
    play(run, OK);
    run.machine.closed("reset");
    expect(heard(run)).toEqual(["arrive", "responseStarted", "ended natural"]);
  });

  it("without a body ends with its headers", () => {
    const run = routed();
    play(run, responseHeaders({ ":status": "204" }, { endOfStream: true }));
    expect(heard(run)).toEqual(["arrive", "responseStarted", "ended natural"]);
    run.machine.closed("reset");
    expect(heard(run)).toHaveLength(3);
  });

  const key = "x-gateway-destination-endpoint-served";
  const words = [
    ["who served", { "envoy.lb": { [key]: "10.0.0.2:8000" } }, { served: "10.0.0.2:8000", tells: true }],
    ["that it is told of the load balancer, but not who", { "envoy.lb": { other: "x" } }, { tells: true }],
    ["nothing of a name that is no text", { "envoy.lb": { [key]: 8 } }, { tells: true }],
    ["nothing of another namespace", { other: { [key]: "10.0.0.2:8000" } }, {}],
    ["nothing without metadata", undefined, {}],
  ] as const;
  it.each(words)("tells %s", (_, metadata, word) => {
    const run = routed();
    play(run, responseHeaders({ ":status": "200" }, metadata && { metadata }));
    expect(run.events.at(-1)).toEqual({ event: "responseStarted", ...word });
  });

  it("whose client goes away ends the request with what was used", () => {
    const run = routed(undefined, duplex(), STREAM);
    play(run, OK, responseBody("abc"));
    run.machine.closed("reset");
    expect(run.events.at(-1)).toEqual({
      event: "ended",
      cause: "client-disconnect",
      usage: { promptTokens: 3, completionTokens: -1, cachedTokens: -1 },
    });
    expect(run.account.bytes).toBe(0);
  });

  it("is counted while it is held back, and until it has left", () => {
    const run = routed();
    run.machine.flushed(BODY.length);
    play(run, OK, responseBody("x".repeat(100)));
    expect(run.account.bytes).toBe(100);
    play(run, responseBody("", true));
    expect(run.account.bytes).toBe(100);
    run.machine.flushed(100);
    expect(run.account.bytes).toBe(0);
  });

  it("is counted by its new length when the model's name is put back", () => {
    const run = routed("target");
    run.machine.flushed(BODY.length + 10);
    play(run, OK);
    const [answer] = play(run, responseBody('{"model":"target"}', true));
    expect(answer).toMatchObject({ body: '{"model":"m"}$' });
    expect(run.account.bytes).toBe(13);
  });

  it("is passed on as it comes when the account has no room to hold it back", () => {
    const account = new BodyAccount(100);
    const run = routed(undefined, duplex(), BODY, { account });
    run.machine.flushed(BODY.length);
    account.add(50);
    expect(play(run, OK, responseBody("a".repeat(40)))).toHaveLength(1);
    expect(play(run, responseBody("b".repeat(40)))).toEqual([
      { kind: "responseBody", body: "a".repeat(40) },
      { kind: "responseBody", body: "b".repeat(40) },
    ]);
  });

  it("has its first byte in the first body that is not empty, and none once the request is over", () => {
    const run = routed(undefined, duplex(), STREAM);
    play(run, OK, responseBody(""));
    expect(heard(run)).toEqual(["arrive", "responseStarted"]);
    play(run, responseBody("a"), responseBody("b"));
    expect(heard(run)).toEqual(["arrive", "responseStarted", "responseFirstByte"]);
    const over = routed(undefined, duplex(), STREAM);
    play(over, responseHeaders({ ":status": "200" }, { endOfStream: true }), responseBody("a"));
    expect(heard(over)).toEqual(["arrive", "responseStarted", "ended natural"]);
  });

  it("under BUFFERED is complete with its one body, though trailers follow", () => {
    const run = routed(undefined, duplex(BODY_MODE.buffered));
    play(run, OK, responseBody("{}"));
    expect(heard(run).at(-1)).toBe("ended natural");
    expect(play(run, responseTrailers())).toEqual([{ kind: "responseTrailers" }]);
  });

  it("remembers at most some 1000 headers from one message of headers to the next", () => {
    const run = routed();
    const some = (from: number, count: number) =>
      responseHeaders(Array.from({ length: count }, (_, i) => [`x-${from + i}`, "1"] as const));
    const countOf = (answers: object[]) => (answers[0] as { headers: string[] }).headers.length - 1;
    expect(countOf(play(run, some(0, 900)))).toBe(900);
    expect(countOf(play(run, some(900, 200)))).toBe(1100);
    expect(countOf(play(run, some(2000, 5)))).toBe(5);
  });

  it("whose headers come after its end starts nothing", () => {
    const run = routed();
    expect(play(run, responseBody("{}", true), OK)).toHaveLength(2);
    expect(heard(run)).toEqual(["arrive", "responseFirstByte", "ended natural"]);
  });

  it("too big to be held back is passed on as it comes", () => {
    const run = routed(undefined, duplex(), BODY, {
      limits: { bodyBytesMax: 100, headersMax: 9, headerBytesMax: 999 },
    });
    expect(play(run, OK, responseBody("a".repeat(60)))).toHaveLength(1);
    expect(play(run, responseBody("b".repeat(60)))).toEqual([
      { kind: "responseBody", body: "a".repeat(60) },
      { kind: "responseBody", body: "b".repeat(60) },
    ]);
    expect(play(run, responseBody("c", true))).toEqual([{ kind: "responseBody", body: "c$" }]);
  });

  it("that nobody takes ends the stream before it fills the memory", () => {
    const run = routed(undefined, duplex(), STREAM, {
      limits: { bodyBytesMax: 100, headersMax: 9, headerBytesMax: 999 },
    });
    run.machine.flushed(1000);
    play(run, OK);
    expect(play(run, responseBody("a".repeat(100)), responseBody("b".repeat(100)))).toHaveLength(2);
    run.machine.flushed(100);
    expect(play(run, responseBody("c".repeat(100)))).toHaveLength(1);
    expect(play(run, responseBody("d"))).toEqual([]);
    expect(heard(run).slice(-2)).toEqual(["ended error", "finish 8"]);
  });

  it("that comes before the request is complete gives the request up", () => {
    const run = scripted();
    expect(
      play(run, requestHeaders(PATH), responseHeaders({ ":status": "413" }), requestBody(BODY, true)),
    ).toMatchObject([{ kind: "responseHeaders" }]);
    expect(heard(run)).toEqual([]);
    const parked = scripted("park");
    play(parked, ...REQUEST, responseHeaders({ ":status": "504" }));
    parked.decide({ targets: [POD] });
    expect(parked.sent.map(({ kind }) => kind)).toEqual(["responseHeaders"]);
    expect(heard(parked)).toEqual(["arrive", "ended client-disconnect"]);
  });

  it("on a stream without a request is answered all the same", () => {
    const run = scripted();
    expect(play(run, OK, responseBody("{}", true))).toMatchObject([
      { kind: "responseHeaders" },
      { kind: "responseBody", body: "{}$" },
    ]);
    expect(heard(run)).toEqual([]);
  });
});
