import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clientResponseHeaders, endToEndHeaders, podRequestHeaders } from "./gateway-headers.ts";

const asked = { destination: "10.0.0.1:8000", requestId: "id", edits: new Map<string, string | undefined>() };

describe("headers past the gateway", () => {
  it.each([
    ["hop-by-hop ones", ["Connection", "close", "TE", "x", "Upgrade", "y", "Keep-Alive", "z"], []],
    ["those that connection names, in any case", ["connection", "A, x-B", "X-b", "1", "a", "2", "c", "3"], ["c", "3"]],
    ["nothing else", ["x", "1", "X", "2", "Host", "h"], ["x", "1", "X", "2", "Host", "h"]],
  ])("leave out %s", (_name, headers, kept) => {
    expect(endToEndHeaders(headers)).toEqual(kept);
  });

  it("towards the pod: one destination, one id, no length, plugins' edits in place of the client's", () => {
    const edits = new Map([
      ["x-set", "new"],
      ["x-gone", undefined],
      ["content-length", "7"],
      ["connection", "x-set"],
    ]);
    const headers = [
      "x-set",
      "old",
      "x-gone",
      "1",
      "x-request-id",
      "theirs",
      "Content-Length",
      "5",
      "expect",
      "100-continue",
    ];
    expect(podRequestHeaders([...headers, "x-gateway-destination-endpoint", "9.9.9.9:1"], { ...asked, edits })).toEqual(
      ["x-gateway-destination-endpoint", "10.0.0.1:8000", "x-request-id", "id", "x-set", "new"],
    );
  });

  it("towards the client: the stock's mark once, plugins' headers, the length unless the body changes", () => {
    const headers = [
      "Content-Length",
      "5",
      "x-went-into-resp-headers",
      "no",
      "x-a",
      "1",
      "Transfer-Encoding",
      "chunked",
    ];
    const edits = new Map([["x-a", "2"]]);
    expect(clientResponseHeaders(headers, edits, true)).toEqual([
      "Content-Length",
      "5",
      "x-went-into-resp-headers",
      "true",
      "x-a",
      "2",
    ]);
    expect(clientResponseHeaders(headers, edits, false)).not.toContain("Content-Length");
  });

  it("keep every end-to-end header of a client, in order", () => {
    const name = fc.stringMatching(/^x-[a-z]{1,8}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (headers) => {
        const passed = podRequestHeaders(headers.flat(), asked);
        expect(passed.slice(0, headers.length * 2)).toEqual(headers.flat());
      }),
    );
  });
});
