import { errors } from "undici";
import { describe, expect, it } from "vitest";
import { failureOf } from "./upstream-failure.ts";

const coded = (code: string): Error => Object.assign(new Error(`it said ${code}`), { code });

describe("a failed attempt at a pod", () => {
  it.each([
    ["a refused connection", coded("ECONNREFUSED"), "dead"],
    ["a reset", coded("ECONNRESET"), "dead"],
    [
      "a host with two addresses that both refuse",
      new AggregateError([coded("ECONNREFUSED"), coded("ECONNREFUSED")]),
      "dead",
    ],
    ["no connection in time", new errors.ConnectTimeoutError(), "dead"],
    ["a closed connection", new errors.SocketError("other side closed"), "dead"],
    ["no headers in time", new errors.HeadersTimeoutError(), "silent"],
    ["silence inside an answer", new errors.BodyTimeoutError(), "silent"],
    ["no HTTP", new errors.HTTPParserError("Expected HTTP/"), "garbled"],
    ["headers over the limit", new errors.HeadersOverflowError(), "garbled"],
    ["anything else", new Error("?"), "garbled"],
    ["a request that can't be sent", new errors.InvalidArgumentError("invalid path"), "unsendable"],
  ] as const)("by %s is told as such", (_name, error, kind) => {
    expect(failureOf(error).kind).toBe(kind);
    expect(failureOf(error).message).not.toBe("");
  });
});
