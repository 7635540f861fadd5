import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createResponseEncoder, decodeRequest } from "./codec.ts";
import type { IncomingMessage, MetadataValue, OutgoingMessage } from "./messages.ts";
import { answer } from "./messages.ts";
import { DecodeError } from "../core/proto-reader.ts";
import { ProtoWriter } from "./proto-writer.ts";
import { writeStruct } from "./struct-codec.ts";
import { type Loose, objectOf, oracle, structOf } from "./test-support/oracle.ts";

const LIMITS = { headersMax: 1000, headerBytesMax: 1_000_000 };
const encode = createResponseEncoder();
const joined = (parts: readonly Uint8Array[]) => Buffer.concat(parts);
const decode = (bytes: Uint8Array) => decodeRequest(bytes, LIMITS);

const metadataValue: fc.Arbitrary<MetadataValue> = fc.letrec<{ value: MetadataValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true }),
    fc.string({ unit: "grapheme" }),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;
const struct = fc.dictionary(fc.string({ maxLength: 8 }), metadataValue, { maxKeys: 3, noNullPrototype: true });
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const key = fc.oneof(fc.constantFrom(":path", "x-a", "Content-Type"), fc.string({ unit: "grapheme", maxLength: 80 }));
const headerIn = fc.oneof(
  fc.record({ key, raw_value: bytes(90) }),
  fc.record({ key, value: fc.string({ unit: "grapheme", maxLength: 90 }) }),
  fc.record({ key, value: fc.string(), raw_value: bytes(20) }),
);

const part: fc.Arbitrary<Loose> = fc.oneof(
  fc
    .record({
      kind: fc.constantFrom("request_headers", "response_headers"),
      headers: fc.array(headerIn, { maxLength: 6 }),
      end_of_stream: fc.boolean(),
    })
    .map(({ kind, headers, end_of_stream }) => ({ [kind]: { headers: { headers }, end_of_stream } })),
  fc
    .record({
      kind: fc.constantFrom("request_body", "response_body"),
      body: bytes(300),
      end_of_stream: fc.boolean(),
      grpc_message_compressed: fc.boolean(),
    })
    .map(({ kind, ...body }) => ({ [kind]: body })),
  fc
    .record({ kind: fc.constantFrom("request_trailers", "response_trailers"), headers: fc.array(headerIn) })
    .map(({ kind, headers }) => ({ [kind]: { trailers: { headers } } })),
  fc.constant({}),
);
const request: fc.Arbitrary<Loose> = fc
  .record(
    {
      part,
      metadata: fc.dictionary(fc.string({ maxLength: 8 }), struct, { maxKeys: 3, noNullPrototype: true }),
      protocol_config: fc.record({
        request_body_mode: fc.integer({ min: 0, max: 5 }),
        response_body_mode: fc.integer({ min: 0, max: 5 }),
        send_body_without_waiting_for_header_response: fc.boolean(),
      }),
      attributes: fc.dictionary(fc.string({ maxLength: 8 }), struct.map(structOf), {
        maxKeys: 2,
        noNullPrototype: true,
      }),
      observability_mode: fc.boolean(),
    },
    { requiredKeys: ["part"] },
  )
  .map(({ part, metadata, ...rest }) => ({
    ...rest,
    ...part,
    ...(metadata && {
      metadata_context: {
        filter_metadata: Object.fromEntries(Object.entries(metadata).map(([k, v]) => [k, structOf(v)])),
      },
    }),
  }));

/** What decodeRequest has to find, from what the oracle reads of the same bytes. */
function expected(bytes: Uint8Array): Loose {
  const read = oracle.decodeRequest(bytes) as Loose & { request?: string };
  const kind = (read.request ?? "unknown").replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const value = (read.request ? read[read.request] : {}) as Loose;
  const config = read["protocol_config"] as Loose | undefined;
  const out: Loose = {
    kind,
    protocolConfig: config && {
      requestBodyMode: config["request_body_mode"] ?? 0,
      responseBodyMode: config["response_body_mode"] ?? 0,
    },
  };
  if (kind.endsWith("Headers")) {
    const list = ((value["headers"] as Loose | undefined)?.["headers"] ?? []) as Loose[];
    out["headers"] = list.map((header) => {
      const raw = header["raw_value"] as Buffer | undefined;
      return {
        key: header["key"] ?? "",
        value: Buffer.from(raw?.length ? raw : ((header["value"] ?? "") as string)).toString("hex"),
      };
    });
  }
  if (kind.endsWith("Body")) out["body"] = Buffer.from((value["body"] as Buffer | undefined) ?? []).toString("hex");
  if (!kind.endsWith("Trailers") && kind !== "unknown") out["endOfStream"] = value["end_of_stream"] ?? false;
  return out;
}

function seen(message: IncomingMessage): Loose {
  const out: Loose = { kind: message.kind, protocolConfig: message.protocolConfig };
  if ("headers" in message) {
    out["headers"] = message.headers.map(({ key, value }) => ({ key, value: Buffer.from(value).toString("hex") }));
    expect(message.overLimit).toBeUndefined();
  }
  if ("body" in message) out["body"] = Buffer.from(message.body).toString("hex");
  if ("endOfStream" in message) out["endOfStream"] = message.endOfStream;
  return out;
}

/** The spans of a message's top-level fields. */
function fieldsOf(bytes: Uint8Array): Uint8Array[] {
  const spans: Uint8Array[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const wire = varint() & 7;
    if (wire === 0) varint();
    else {
      const length = varint();
      at += length;
    }
    spans.push(bytes.subarray(start, at));
  }
  return spans;
}

describe("decodeRequest", () => {
  it("reads what proto-loader writes", () => {
    fc.assert(
      fc.property(request, (value) => {
        const bytes = oracle.encodeRequest(value);
        expect(seen(decode(bytes))).toEqual(expected(bytes));
      }),
    );
  });

  it("reads fields in any order, among unknown ones", () => {
    const unknown = fc.constantFrom(
      Buffer.from([0xa0, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), // 100: varint of 64 bits
      Buffer.from([0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]), // 100: fixed64
      Buffer.from([0xa2, 0x06, 2, 9, 9]), // 100: bytes
      Buffer.from([0xa5, 0x06, 1, 2, 3, 4]), // 100: fixed32
      Buffer.from([0xa3, 0x06, 0x08, 0x01, 0xa3, 0x06, 0xa4, 0x06, 0xa4, 0x06]), // 100: group in a group
      Buffer.from([0x10, 0x05]), // 2 with another wire type
    );
    fc.assert(
      fc.property(request, fc.array(unknown, { maxLength: 3 }), fc.infiniteStream(fc.nat()), (value, extra, order) => {
        const plain = oracle.encodeRequest(value);
        const mixed = [...fieldsOf(plain), ...extra]
          .map((field) => ({ field, place: order.next().value }))
          .sort((a, b) => a.place - b.place)
          .map(({ field }) => field);
        expect(seen(decode(Buffer.concat(mixed)))).toEqual(expected(plain));
      }),
    );
  });

  it("finds each metadata value that proto-loader wrote, and nothing where there is none", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), struct, { maxKeys: 3, noNullPrototype: true }), (namespaces) => {
        const filter_metadata = Object.fromEntries(Object.entries(namespaces).map(([k, v]) => [k, structOf(v)]));
        const { metadata } = decode(oracle.encodeRequest({ metadata_context: { filter_metadata } }));
        for (const [namespace, object] of Object.entries(namespaces)) {
          for (const [key, value] of Object.entries(object)) expect(metadata?.value(namespace, key)).toEqual(value);
          expect(metadata?.value(namespace, "no such key at all")).toBeUndefined();
        }
        expect(metadata?.value("no such namespace at all", "x")).toBeUndefined();
      }),
    );
  });

  it("gives bodies and values as views, without copying", () => {
    const bytes = new Uint8Array(oracle.encodeRequest({ request_body: { body: Buffer.alloc(1000, 7) } }));
    const message = decode(bytes);
    expect(message.kind === "requestBody" && message.body.buffer === bytes.buffer).toBe(true);
  });

  it("takes any bytes: a message, or a DecodeError that says where it went wrong", () => {
    fc.assert(
      fc.property(request, fc.nat(), fc.nat(255), fc.nat(), (value, at, byte, cut) => {
        const broken = Buffer.from(oracle.encodeRequest(value));
        if (broken.length > 0) broken[at % broken.length] = byte;
        const bytes = broken.subarray(0, broken.length - (cut % 4));
        try {
          decode(bytes).metadata?.value("a", "b");
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(bytes).metadata?.value("a", "b");
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["a length beyond the end", [0x22, 0x05, 0x0a, 0x01], /wants 5 bytes, 2 are left/],
    ["a number cut off", [0x22, 0x80], /cut off/],
    ["field number 0", [0x02, 0x00], /field number 0/],
    ["a wire type that is none", [0x27], /wire type 7/],
    ["a group without an end", [0xa3, 0x06, 0x08, 0x01], /group 100 is cut off/],
    ["a group closed as another", [0xa3, 0x06, 0xac, 0x06], /group 100 closed as 101/],
    [
      "groups without end",
      Array.from({ length: 200 }, () => 0xa3).flatMap((tag) => [tag, 0x06]),
      /nested deeper than 32/,
    ],
    ["a number of 11 bytes", [0x20, ...Array.from({ length: 10 }, () => 0xff), 1], /more than 10 bytes/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(message);
  });

  it("refuses metadata nested too deep when it is asked for", () => {
    let value: MetadataValue = "x";
    for (let i = 0; i < 70; i++) value = [value];
    const writer = new ProtoWriter();
    writer.reset();
    writeStruct(writer, { b: value });
    writer.close(2, 0);
    writer.text(1, "a");
    writer.close(1, 0);
    writer.close(8, 0);
    expect(() => decode(writer.take()).metadata?.value("a", "b")).toThrow(/nested deeper than 64/);
  });

  it("leaves out headers over the limits and says which", () => {
    const headers = Array.from({ length: 5 }, (_, i) => ({ key: `k${i}`, raw_value: Buffer.from("value") }));
    const bytes = oracle.encodeRequest({ request_headers: { headers: { headers } } });
    expect(decodeRequest(bytes, { headersMax: 5, headerBytesMax: 35 })).toMatchObject({ overLimit: undefined });
    expect(decodeRequest(bytes, { headersMax: 4, headerBytesMax: 35 })).toMatchObject({
      overLimit: "more than 4 headers",
      headers: { length: 4 },
    });
    expect(decodeRequest(bytes, { headersMax: 5, headerBytesMax: 34 })).toMatchObject({
      overLimit: "more than 34 bytes of headers",
      headers: { length: 4 },
    });
  });
});

const headerOut = fc.record({ key, value: bytes(200) });
const common: fc.Arbitrary<OutgoingMessage> = fc
  .record({
    kind: fc.constantFrom("requestHeaders", "responseHeaders", "requestBody", "responseBody"),
    setHeaders: fc.array(headerOut, { maxLength: 5 }),
    removeHeaders: fc.array(key, { maxLength: 3 }),
    clearRouteCache: fc.boolean(),
    body: fc.option(
      fc.oneof(
        fc.record({ kind: fc.constant("streamed" as const), body: bytes(9000), endOfStream: fc.boolean() }),
        fc.record({ kind: fc.constant("whole" as const), body: bytes(9000) }),
      ),
      { nil: undefined },
    ),
    dynamicMetadata: fc.option(struct, { nil: undefined }),
  })
  .map(({ kind, ...rest }) => answer(kind, rest));
const outgoing: fc.Arbitrary<OutgoingMessage> = fc.oneof(
  { arbitrary: common, weight: 4 },
  fc.record({
    kind: fc.constant("immediate" as const),
    status: fc.integer({ min: 200, max: 599 }),
    body: bytes(300),
    setHeaders: fc.array(headerOut, { maxLength: 3 }),
  }),
  fc.record(
    { kind: fc.constantFrom("requestTrailers" as const, "responseTrailers" as const), dynamicMetadata: struct },
    { requiredKeys: ["kind"] },
  ),
);
const wireName = (kind: string) =>
  kind === "immediate" ? "immediate_response" : kind.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`);
const hex = (value: unknown) => Buffer.from((value as Buffer | undefined) ?? []).toString("hex");
const metadataOf = ({ dynamic_metadata: metadata }: Loose) => metadata && objectOf(metadata);
const mutationOf = (mutation: Loose | undefined) => ({
  set: ((mutation?.["set_headers"] ?? []) as { header: Loose }[]).map(({ header, ...rest }) => {
    expect(rest).toEqual({});
    return [header["key"] ?? "", hex(header["raw_value"])];
  }),
  removed: mutation?.["remove_headers"] ?? [],
});

describe("createResponseEncoder", () => {
  it("writes what proto-loader reads", () => {
    fc.assert(
      fc.property(outgoing, (message) => {
        const read = oracle.decodeResponse(joined(encode(message))) as Loose & { response: string };
        expect(read.response).toBe(wireName(message.kind));
        const part = read[read.response] as Loose;
        if (message.kind === "immediate") {
          expect(part["status"]).toEqual({ code: message.status });
          expect(hex(part["body"])).toBe(hex(message.body));
          expect(mutationOf(part["headers"] as Loose).set).toEqual(
            message.setHeaders.map((h) => [h.key, hex(h.value)]),
          );
        } else if (!("setHeaders" in message)) {
          expect(part).toEqual({});
          expect(metadataOf(read)).toEqual(message.dynamicMetadata);
        } else {
          const response = part["response"] as Loose;
          const { set, removed } = mutationOf(response["header_mutation"] as Loose);
          expect(set).toEqual(message.setHeaders.map((h) => [h.key, hex(h.value)]));
          expect(removed).toEqual(message.removeHeaders);
          expect(response["clear_route_cache"] ?? false).toBe(message.clearRouteCache);
          const mutation = response["body_mutation"] as (Loose & { mutation: string }) | undefined;
          if (!message.body) expect(mutation).toBeUndefined();
          else if (message.body.kind === "whole") expect(hex(mutation?.["body"])).toBe(hex(message.body.body));
          else {
            const streamed = mutation?.["streamed_response"] as Loose;
            expect(hex(streamed["body"])).toBe(hex(message.body.body));
            expect(streamed["end_of_stream"] ?? false).toBe(message.body.endOfStream);
          }
          expect(mutation?.mutation).toBe(
            message.body && (message.body.kind === "whole" ? "body" : "streamed_response"),
          );
          expect(metadataOf(read)).toEqual(message.dynamicMetadata);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("hands a body on as it is", () => {
    const body = new Uint8Array(62_000);
    const parts = encode(answer("requestBody", { body: { kind: "streamed", body, endOfStream: true } }));
    expect(parts[1]).toBe(body);
  });
});
