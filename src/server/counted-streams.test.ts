import { expect, it } from "vitest";
import { countedStreams } from "./counted-streams.ts";
import type { StreamHandler } from "./transport.ts";

const wire = { send: () => undefined, end: () => undefined };
/** Ends a stream with INVALID_ARGUMENT at its first message, and with OK when the other side is done. */
const serve: StreamHandler = (stream) => ({
  onMessage: () => stream.end({ code: 3, details: "" }),
  onHalfClose: () => stream.end({ code: 0, details: "" }),
  onClosed: () => undefined,
});

function counted() {
  const codes: number[] = [];
  const failures: unknown[] = [];
  const handler = countedStreams(
    serve,
    () => (code) => codes.push(code),
    (error) => failures.push(error),
  );
  return { codes, failures, open: () => handler(wire) };
}

it("a stream that failed is counted by its code, also when the other side then ends it well", () => {
  const { codes, open } = counted();
  const stream = open();
  stream.onMessage(new Uint8Array(0));
  stream.onHalfClose();
  stream.onClosed("ended");
  expect(codes).toEqual([3]);
});

it("a stream that was broken off, or ended well, is counted as OK", () => {
  const { codes, open } = counted();
  open().onClosed("reset");
  const stream = open();
  stream.onHalfClose();
  stream.onClosed("ended");
  expect(codes).toEqual([0, 0]);
});

it("a counter that throws costs no stream", () => {
  const failures: string[] = [];
  const boom = (): never => {
    throw new Error("a broken counter");
  };
  for (const open of [boom, () => boom]) {
    const stream = countedStreams(serve, open, (error) => failures.push(String(error)))(wire);
    stream.onMessage(new Uint8Array(0));
    stream.onClosed("ended");
  }
  expect(failures).toEqual(["Error: a broken counter", "Error: a broken counter"]);
});
