import { describe, expect, it } from "vitest";
import { NO_CANDIDATES, NO_PODS } from "../core/rejection.ts";
import { BodyAccount } from "./body-account.ts";
import { BODY_MODE, type IncomingMessage, type MetadataValue, type ProtocolConfig } from "./messages.ts";
import {
  arrived,
  BODY,
  duplex,
  heard,
  incoming,
  PATH,
  play,
  POD,
  REQUEST,
  REQUEST_ID,
  scripted,
} from "./test-support/scripted-host.ts";

const { requestHeaders, requestBody, requestTrailers, responseHeaders } = incoming;
const METADATA = { "envoy.lb": { "x-gateway-destination-endpoint": POD } };

describe("the request", () => {
  it("is answered only when its body is complete: headers, then the body as it came", () => {
    const run = scripted();
    expect(
      play(run, requestHeaders({ ...PATH, Hi: "mom", "content-length": "30" }), requestBody(BODY.slice(0, 5))),
    ).toEqual([]);
    expect(play(run, requestBody(BODY.slice(5)), requestBody("", true))).toEqual([
      {
        kind: "requestHeaders",
        headers: [
          `x-gateway-destination-endpoint: ${POD}`,
          "Content-Length: 30",
          ":path: /v1/completions?x=1",
          "x-request-id: r",
          "hi: mom",
        ],
        clearRouteCache: true,
        dynamicMetadata: METADATA,
      },
      { kind: "requestBody", body: `${BODY}$` },
    ]);
    expect(arrived(run)).toMatchObject({ model: "m", requestId: "r", bodyBytes: 30, bodyless: false, inputTokens: 2 });
    expect(arrived(run).blocks).toMatchObject([{ blockSizeTokens: 16, prompts: [{ tokens: 2 }] }]);
  });

  it("carries the named headers alone into the facts, by the last value of each", () => {
    const run = scripted();
    play(
      run,
      requestHeaders([
        ["X-Named", "1"],
        ["x-named", "2"],
        ["x-other", "3"],
        [":path", "/completions"],
      ]),
      requestBody(BODY, true),
    );
    expect(arrived(run).headers).toEqual({ "x-named": "2" });
  });

  it("takes no scores into the metadata unless told to", () => {
    const run = scripted({ targets: [POD, "10.0.0.2:8000"] }, { emitEndpointScores: true });
    const [head] = play(run, ...REQUEST);
    expect(head).toMatchObject({
      dynamicMetadata: {
        "envoy.lb": {
          "x-gateway-destination-endpoint": `${POD},10.0.0.2:8000`,
          "x-gateway-destination-endpoint-scores": { [POD]: 0.5, "10.0.0.2:8000": 0.25 },
        },
      },
    });
  });

  it("is sent on in chunks of 62,000 bytes that are views of what came", () => {
    const run = scripted();
    const body = Buffer.from(JSON.stringify({ model: "m", prompt: "p".repeat(130_000) }));
    play(run, requestHeaders(PATH), requestBody(body), requestBody("", true));
    const chunks = run.sent.slice(1).map((message) => (message.kind === "requestBody" ? message.body : undefined));
    expect(chunks.map((chunk) => chunk?.body.length)).toEqual([62_000, 62_000, body.length - 124_000]);
    expect(chunks.every((chunk) => chunk?.body.buffer === body.buffer)).toBe(true);
    expect(chunks.map((chunk) => chunk?.kind === "streamed" && chunk.endOfStream)).toEqual([false, false, true]);
  });

  it("is rewritten when the model changes, with a fitting length", () => {
    const [head, body] = play(scripted({ targets: [POD], model: "target" }), ...REQUEST);
    expect(head).toMatchObject({ headers: expect.arrayContaining(["Content-Length: 35"]) as unknown });
    expect(body).toEqual({ kind: "requestBody", body: `${BODY.replace('"m"', '"target"')}$` });
  });

  it("gets headers from plugins and loses those that they take away", () => {
    const headers = new Map([
      ["x-prefiller-host-port", "p:1"],
      ["x-gone", undefined],
      ["x-twice", "new"],
    ]);
    const [head] = play(
      scripted({ targets: [POD], headers }),
      requestHeaders({ ...PATH, "X-Gone": "1", "x-twice": "old" }),
      requestBody(BODY, true),
    );
    expect(head).toMatchObject({
      headers: [
        `x-gateway-destination-endpoint: ${POD}`,
        "Content-Length: 30",
        ":path: /v1/completions?x=1",
        "x-request-id: r",
        "x-prefiller-host-port: p:1",
        "x-twice: new",
      ],
      removeHeaders: ["x-gone"],
    });
  });

  it.each([
    ["absent", {}, undefined, `x-request-id: ${REQUEST_ID}`],
    ["empty, as the stock EPP", { "x-request-id": "" }, undefined, "x-request-id: "],
    ["empty, from Envoy", { "x-request-id": "" }, duplex(), `x-request-id: ${REQUEST_ID}`],
  ])("gets an id when it has none: %s", (_, headers, config, wanted) => {
    const run = scripted();
    const [head] = play(
      run,
      requestHeaders({ ":path": "/completions", ...headers }, config && { config }),
      requestBody(BODY, true),
    );
    expect((head as { headers: string[] }).headers.filter((h) => h.startsWith("x-request-id"))).toEqual([wanted]);
    expect(arrived(run).requestId).toBe(REQUEST_ID);
  });

  it("is answered without headers too, then without an id", () => {
    const run = scripted();
    expect(play(run, requestBody(BODY, true))).toMatchObject([
      { headers: [`x-gateway-destination-endpoint: ${POD}`, "Content-Length: 30"] },
      { kind: "requestBody" },
    ]);
  });

  it("counts by its first headers", () => {
    const run = scripted();
    play(run, requestHeaders(PATH), requestHeaders({ ":path": "/x", "x-request-id": "other" }, { endOfStream: true }));
    play(run, requestBody(BODY, true), requestBody(BODY, true));
    expect(arrived(run)).toMatchObject({ requestId: "r", bodyless: false });
    expect(run.sent.map(({ kind }) => kind)).toEqual(["requestHeaders", "requestBody"]);
  });

  it("without a body gets an endpoint at once, and nothing is passed through", () => {
    const run = scripted();
    const hint = { "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": ["10.0.0.9"] } };
    expect(
      play(run, requestHeaders({ ":path": "/health", "x-a": "1" }, { endOfStream: true, metadata: hint })),
    ).toEqual([
      {
        kind: "requestHeaders",
        headers: [`x-gateway-destination-endpoint: ${POD}`, `x-request-id: ${REQUEST_ID}`],
        clearRouteCache: true,
        dynamicMetadata: METADATA,
      },
    ]);
    expect(arrived(run)).toMatchObject({ bodyless: true, parser: "", inputTokens: -1 });
    expect(arrived(run).subset).toBeUndefined();
  });

  it("can be parked: messages go on arriving, the decision comes later", () => {
    const run = scripted("park");
    expect(play(run, ...REQUEST)).toEqual([]);
    expect(run.machine.blocks(1)?.prompts[0].tokens).toBe(2);
    expect(run.machine.blocks(1)?.prompts[0].ids).toHaveLength(4);
    run.decide({ targets: [POD] });
    expect(run.sent.map(({ kind }) => kind)).toEqual(["requestHeaders", "requestBody"]);
    expect(run.machine.blocks(1)).toBeUndefined();
  });

  it("whose client goes away while it is parked ends, and its decision is ignored", () => {
    const run = scripted("park");
    play(run, ...REQUEST);
    run.machine.closed("reset");
    run.decide({ targets: [POD] });
    expect(run.sent).toEqual([]);
    expect(heard(run)).toEqual(["arrive", "ended client-disconnect"]);
    expect(run.account.bytes).toBe(0);
  });

  it("that the parser marks gets no callouts for its response", () => {
    const run = scripted();
    play(run, requestHeaders(PATH), requestBody('{"model":"m","skip":true}', true));
    expect(run.sent.map(({ kind }) => kind)).toEqual(["requestHeaders", "requestBody"]);
    expect(heard(run)).toEqual(["arrive", "ended natural", "finish 0"]);
    expect(play(run, responseHeaders({}))).toEqual([]);
  });
});

describe("refusals", () => {
  it.each([
    [
      "a decision",
      NO_CANDIDATES,
      REQUEST,
      503,
      "ServiceUnavailable - failed to find endpoint candidates",
      ["x-llm-d-request-dropped-reason: rejected-no-endpoints"],
    ],
    [
      "a decision without a body",
      NO_PODS,
      [requestHeaders(PATH, { endOfStream: true })],
      500,
      "Internal - no pods available in datastore",
      undefined,
    ],
  ])("pass %s on and end the stream", (_, reject, messages, status, text, headers) => {
    const run = scripted({ reject });
    const [answer, ...more] = play(run, ...messages);
    expect(answer).toEqual({
      kind: "immediate",
      status,
      body: expect.stringContaining(`inference error: ${text}`) as unknown,
      ...(headers && { headers }),
    });
    expect(more).toEqual([]);
    expect(heard(run)).toEqual(["arrive", "ended error", "finish 0"]);
    run.machine.closed("finished");
    expect(heard(run)).toHaveLength(3);
  });

  it.each<[string, readonly IncomingMessage[], number, RegExp]>([
    [
      "a body that the parser refuses",
      [requestHeaders(PATH), requestBody("{", true)],
      400,
      /^inference error: BadRequest - no JSON/,
    ],
    [
      "a path that no parser takes",
      [requestHeaders({ ":path": "/x?y" }), requestBody("", true)],
      400,
      /^inference error: BadRequest - no parser registered matching path suffix for: \/x$/,
    ],
    [
      "a body over its limit",
      [requestHeaders(PATH), requestBody(new Uint8Array(10_000_000)), requestBody("x")],
      413,
      /PayloadTooLarge - cannot take the request body: it is larger than 10000000 bytes.*bodyBytesMax/,
    ],
    [
      "headers over their limit",
      [{ ...requestHeaders(PATH), overLimit: "more than 100 headers" } as IncomingMessage],
      400,
      /BadRequest - cannot take the request headers: more than 100 headers$/,
    ],
    [
      "STREAMED request bodies",
      [requestHeaders(PATH, { config: { requestBodyMode: BODY_MODE.streamed, responseBodyMode: 0 } })],
      500,
      /request_body_mode STREAMED: set .* FULL_DUPLEX_STREAMED or BUFFERED$/,
    ],
    [
      "request bodies that are not sent",
      [requestHeaders(PATH, { config: { requestBodyMode: BODY_MODE.none, responseBodyMode: 0 } })],
      500,
      /request_body_mode NONE: /,
    ],
    [
      "a mode of the future",
      [requestHeaders(PATH, { config: { requestBodyMode: 77, responseBodyMode: 0 } })],
      500,
      /request_body_mode 77: /,
    ],
    [
      "a body cut off under BUFFERED_PARTIAL",
      [
        requestHeaders(PATH, { config: { requestBodyMode: BODY_MODE.bufferedPartial, responseBodyMode: 0 } }),
        requestBody("{"),
      ],
      413,
      /BUFFERED_PARTIAL$/,
    ],
  ])("answer %s", (_, messages, status, text) => {
    const run = scripted();
    const answer = play(run, ...messages).at(-1);
    expect(answer).toMatchObject({ kind: "immediate", status });
    expect((answer as { body: string }).body).toMatch(text);
    expect(heard(run)).toEqual(["finish 0"]);
    expect(run.account.bytes).toBe(0);
    expect(play(run, requestBody("x", true), responseHeaders({}))).toEqual([]);
  });

  it("answer the stream that crosses the limit of all bodies, not those that were there", () => {
    const account = new BodyAccount(100);
    const [first, second] = [scripted("park", { account }), scripted("park", { account })];
    play(first, requestHeaders(PATH), requestBody(BODY, true));
    const [answer] = play(second, requestHeaders(PATH), requestBody("x".repeat(71)));
    expect(answer).toMatchObject({
      kind: "immediate",
      status: 503,
      headers: ["x-llm-d-request-dropped-reason: rejected-saturated"],
    });
    first.decide({ targets: [POD] });
    expect(first.sent).toHaveLength(2);
    expect(account.bytes).toBe(BODY.length);
    first.machine.flushed(BODY.length);
    expect(account.bytes).toBe(0);
  });
});

describe("the subset hint", () => {
  type Metadata = { readonly [namespace: string]: { readonly [key: string]: MetadataValue } };
  const hint = (value: MetadataValue): Metadata => ({
    "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": value },
  });
  it.each<[string, Metadata | undefined, Metadata | undefined, ProtocolConfig | undefined, string[] | undefined]>([
    ["of the last message counts", hint(["a"]), hint(["b"]), undefined, ["b"]],
    ["keeps its strings alone", undefined, hint([3, null, "b", {}, true]), undefined, ["b"]],
    ["can name nobody", undefined, hint([3]), undefined, []],
    ["that is text is none", undefined, hint("b"), undefined, undefined],
    ["that is an object is none", undefined, hint({ a: "b" }), undefined, undefined],
    ["of the headers alone is none, as stock", hint(["a"]), undefined, undefined, undefined],
    ["of the headers alone counts from Envoy", hint(["a"]), undefined, duplex(), ["a"]],
    ["of the last message counts from Envoy", hint(["a"]), hint(["b"]), duplex(), ["b"]],
  ])("%s", (_, onHeaders, onBody, config, wanted) => {
    const run = scripted();
    play(
      run,
      requestHeaders(PATH, { ...(onHeaders && { metadata: onHeaders }), ...(config && { config }) }),
      requestBody(BODY.slice(0, 9), false, onHeaders ? { metadata: onHeaders } : {}),
      requestBody(BODY.slice(9), true, onBody ? { metadata: onBody } : {}),
    );
    expect(arrived(run).subset).toEqual(wanted);
  });
});

describe("request trailers", () => {
  it("go unanswered without protocol_config, as stock; the body's end is still awaited", () => {
    const run = scripted();
    expect(play(run, requestHeaders(PATH), requestBody(BODY), requestTrailers())).toEqual([]);
    expect(play(run, requestBody("", true))).toHaveLength(2);
  });

  it("end the body and are answered when Envoy sends them", () => {
    const run = scripted();
    const answers = play(run, requestHeaders(PATH, { config: duplex() }), requestBody(BODY), requestTrailers());
    expect(answers).toMatchObject([
      { kind: "requestHeaders" },
      { kind: "requestBody", body: BODY },
      { kind: "requestTrailers" },
    ]);
  });

  it("wait for a parked request", () => {
    const run = scripted("park");
    play(run, requestHeaders(PATH, { config: duplex() }), requestBody(BODY), requestTrailers());
    expect(run.sent).toEqual([]);
    run.decide({ targets: [POD] });
    expect(run.sent.map(({ kind }) => kind)).toEqual(["requestHeaders", "requestBody", "requestTrailers"]);
  });

  it("follow a buffered body, which does not say end of stream then", () => {
    const run = scripted();
    const config = { requestBodyMode: BODY_MODE.buffered, responseBodyMode: BODY_MODE.none };
    expect(play(run, requestHeaders(PATH, { config }), requestBody(BODY), requestTrailers())).toMatchObject([
      { kind: "requestHeaders" },
      { kind: "requestBody" },
      { kind: "requestTrailers" },
    ]);
  });
});

describe("BUFFERED_PARTIAL requests", () => {
  const config = { requestBodyMode: BODY_MODE.bufferedPartial, responseBodyMode: BODY_MODE.none };
  it("are routed when they can be read, though they do not say end of stream before trailers", () => {
    const run = scripted();
    const answers = play(run, requestHeaders(PATH, { config }), requestBody(BODY), requestTrailers());
    expect(answers).toMatchObject([{ kind: "requestHeaders" }, { kind: "requestBody" }, { kind: "requestTrailers" }]);
  });
});

describe("BUFFERED requests", () => {
  const config = { requestBodyMode: BODY_MODE.buffered, responseBodyMode: BODY_MODE.buffered };
  it("have their headers answered at once and their route in the body's answer", () => {
    const run = scripted();
    expect(play(run, requestHeaders({ ...PATH, "x-a": "1" }, { config }))).toEqual([{ kind: "requestHeaders" }]);
    expect(play(run, requestBody(BODY, true))).toEqual([
      {
        kind: "requestBody",
        headers: [`x-gateway-destination-endpoint: ${POD}`],
        clearRouteCache: true,
        dynamicMetadata: METADATA,
      },
    ]);
  });

  it("have a changed body replaced whole, with its length", () => {
    const run = scripted({ targets: [POD], model: "target" });
    const [, answer] = play(run, requestHeaders(PATH, { config }), requestBody(BODY, true));
    expect(answer).toMatchObject({
      headers: [`x-gateway-destination-endpoint: ${POD}`, "Content-Length: 35"],
      body: BODY.replace('"m"', '"target"'),
      whole: true,
    });
  });
});
