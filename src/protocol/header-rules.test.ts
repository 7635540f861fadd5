import { describe, expect, it } from "vitest";
import {
  foldRequestHeaders,
  isEventStream,
  pathOf,
  relayedResponseHeaders,
  routeHeaders,
  statusOf,
} from "./header-rules.ts";
import { bytesOf, textOf } from "../core/text.ts";

const fields = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([key, value]) => ({ key, value: bytesOf(value) }));
const route = (headers: readonly (readonly [string, string])[], edits: ReadonlyMap<string, string | undefined>) =>
  routeHeaders({
    trace: [],
    destination: "d",
    contentLength: 0,
    requestId: undefined,
    passThrough: foldRequestHeaders(fields(headers)),
    edits,
  }).map(({ key, value }) => `${key}: ${textOf(value)}`);

describe("the picker's own headers", () => {
  it.each([
    "x-llm-d-inference-fairness-id",
    "x-gateway-inference-fairness-id",
    "x-llm-d-inference-objective",
    "x-gateway-inference-objective",
    "x-llm-d-model-name-rewrite",
    "x-gateway-model-name-rewrite",
    "x-gateway-destination-endpoint-subset",
    "x-llm-d-slo-ttft-ms",
    "x-slo-ttft-ms",
    "x-llm-d-slo-tpot-ms",
    "x-slo-tpot-ms",
    "x-llm-d-video-fps",
    "x-llm-d-video-duration-seconds",
    "x-llm-d-video-resolution",
    "x-gateway-destination-endpoint",
    "x-gateway-destination-endpoint-served",
    "x-llm-d-request-dropped-reason",
    "Content-Length",
  ])("are not set again: %s", (name) => {
    expect(
      route(
        [
          [name, "1"],
          [name.toUpperCase(), "2"],
        ],
        new Map(),
      ),
    ).toEqual(["x-gateway-destination-endpoint: d"]);
    expect(relayedResponseHeaders(fields([[name, "1"]]), new Map())).toHaveLength(1);
  });
});

describe("routeHeaders", () => {
  it("gives way to plugins, which change, add and take away headers", () => {
    const edits = new Map([
      ["a", "plugin's"],
      ["b", undefined],
      ["c", "new"],
    ]);
    expect(
      route(
        [
          ["A", "client's"],
          ["B", "client's"],
          ["d", "client's"],
        ],
        edits,
      ),
    ).toEqual(["x-gateway-destination-endpoint: d", "d: client's", "a: plugin's", "c: new"]);
  });
});

describe("relayedResponseHeaders", () => {
  it("gives way to plugins whatever the case, and marks the answer once", () => {
    const headers = fields([
      ["X-Session-Token", "pod's"],
      ["x-went-into-resp-headers", "no"],
      ["x-b", "1"],
    ]);
    const relayed = relayedResponseHeaders(headers, new Map([["x-session-token", "plugin's"]]));
    expect(relayed.map(({ key, value }) => `${key}: ${textOf(value)}`)).toEqual([
      "x-went-into-resp-headers: true",
      "x-b: 1",
      "x-session-token: plugin's",
    ]);
  });
});

describe("pathOf", () => {
  it.each([
    [
      [
        [":path", "/a?x=/b"],
        ["x-original-path", "/o"],
      ],
      "/a",
    ],
    [
      [
        [":path", ""],
        ["x-original-path", "/o"],
        ["x-forwarded-path", "/f"],
      ],
      "/o",
    ],
    [[["x-forwarded-path", "/f?y"]], "/f"],
    [[], "/v1/completions"],
  ] as const)("of %j is %s", (headers, path) => {
    expect(pathOf(foldRequestHeaders(fields(headers)))).toBe(path);
  });
});

describe("statusOf", () => {
  it.each([
    [[[":status", "503"]], 503],
    [[[":status", "99"]], 0],
    [[[":status", "600"]], 0],
    [[[":status", "2000"]], 0],
    [[["status", "500"]], 0],
    [[], 0],
  ] as const)("of %j is %s", (headers, wanted) => {
    expect(statusOf(fields(headers))).toBe(wanted);
  });
});

describe("isEventStream", () => {
  it.each([
    [[["content-type", "text/event-stream"]], true],
    [[["content-type", "text/event-stream; charset=utf-8"]], true],
    [[["content-type", "application/json"]], false],
    [[["Content-Type", "text/event-stream"]], false],
    [
      [
        ["content-type", "text/event-stream"],
        ["content-type", "text/plain"],
      ],
      false,
    ],
    [[], false],
  ] as const)("of %j is %s", (headers, wanted) => {
    expect(isEventStream(fields(headers))).toBe(wanted);
  });
});

describe("trace headers", () => {
  it("come after the length and take the place of the client's own", () => {
    const fieldsOf = routeHeaders({
      destination: "d",
      contentLength: 3,
      trace: fields([["traceparent", "ours"]]),
      requestId: undefined,
      passThrough: foldRequestHeaders(
        fields([
          ["TraceParent", "client's"],
          ["tracestate", "v=1"],
          ["baggage", "b"],
        ]),
      ),
      edits: new Map(),
    });
    expect(fieldsOf.map(({ key, value }) => `${key}: ${textOf(value)}`)).toEqual([
      "x-gateway-destination-endpoint: d",
      "Content-Length: 3",
      "traceparent: ours",
      "tracestate: v=1",
      "baggage: b",
    ]);
  });
});
