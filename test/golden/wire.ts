import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import type { AnswerHeader, AnswerMessage, CaseMessage, HeaderPair, Json } from "./cases.ts";
import { describeBytes, toBytes } from "./cases.ts";

/**
 * Case messages to ProcessingRequest bytes and ProcessingResponse bytes to answers, by proto-loader alone: the codec
 * under test has no part in it.
 */
const protoDir = fileURLToPath(new URL("../../proto/", import.meta.url));
const definitions = loadSync("envoy/service/ext_proc/v3/external_processor.proto", {
  keepCase: true,
  longs: Number,
  defaults: false,
  oneofs: true,
  includeDirs: [protoDir],
});
const method = (
  definitions["envoy.service.ext_proc.v3.ExternalProcessor"] as unknown as {
    Process: { requestSerialize(value: object): Buffer; responseDeserialize(bytes: Buffer): ProcessingResponse };
  }
).Process;

type Loose = { readonly [key: string]: unknown };
interface ProcessingResponse extends Loose {
  readonly response?: string;
  readonly dynamic_metadata?: StructMessage;
}
type StructMessage = { readonly fields?: Readonly<Record<string, ValueMessage>> };
type ValueMessage = {
  readonly kind?: string;
  readonly stringValue?: string;
  readonly numberValue?: number;
  readonly boolValue?: boolean;
  readonly listValue?: { readonly values?: readonly ValueMessage[] };
  readonly structValue?: StructMessage;
};

export function encodeRequest(message: CaseMessage): Uint8Array {
  const out: Record<string, unknown> = {};
  if (message.metadata) {
    const entries = Object.entries(message.metadata).map(([k, v]) => [k, toStruct(v as Record<string, Json>)]);
    out["metadata_context"] = { filter_metadata: Object.fromEntries(entries) };
  }
  for (const kind of ["request_headers", "response_headers"] as const) {
    const part = message[kind];
    if (part) out[kind] = { headers: headerMap(part.headers), end_of_stream: part.end_of_stream ?? false };
  }
  for (const kind of ["request_body", "response_body"] as const) {
    const part = message[kind];
    if (part) out[kind] = { body: toBytes(part.body), end_of_stream: part.end_of_stream ?? false };
  }
  for (const kind of ["request_trailers", "response_trailers"] as const) {
    const part = message[kind];
    if (part) out[kind] = { trailers: headerMap(part.headers ?? []) };
  }
  return method.requestSerialize(out);
}

const headerMap = (pairs: readonly HeaderPair[]) => ({
  headers: pairs.map(([key, value, field]) =>
    field === "value" ? { key, value: toBytes(value).toString("utf8") } : { key, raw_value: toBytes(value) },
  ),
});

function toValue(value: Json): ValueMessage {
  if (value === null) return { nullValue: 0 } as never;
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  return { structValue: toStruct(value as Record<string, Json>) };
}

const toStruct = (object: Readonly<Record<string, Json>>): StructMessage => ({
  fields: Object.fromEntries(Object.entries(object).map(([k, v]) => [k, toValue(v)])),
});

function fromValue(value: ValueMessage): Json {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.numberValue !== undefined) return value.numberValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.listValue) return (value.listValue.values ?? []).map(fromValue);
  if (value.structValue) return fromStruct(value.structValue);
  return null;
}

const fromStruct = (struct: StructMessage): Record<string, Json> =>
  Object.fromEntries(
    Object.entries(struct.fields ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, fromValue(v)]),
  );

/** A ProcessingResponse in the recordings' form, and its body's bytes. */
export function decodeResponse(bytes: Uint8Array, after: number): { message: AnswerMessage; body: Buffer | undefined } {
  const response = method.responseDeserialize(Buffer.from(bytes));
  const type = response.response ?? "empty";
  const part = (response[type] ?? {}) as Loose;
  const out: Record<string, unknown> = { after, type };
  let body: Buffer | undefined;
  if (type === "immediate_response") {
    out["code"] = (part["status"] as Loose | undefined)?.["code"] ?? 0;
    body = (part["body"] as Buffer | undefined) ?? Buffer.alloc(0);
    out["body"] = describeBytes(body);
    addMutation(out, part["headers"] as Loose | undefined);
    const grpcStatus = part["grpc_status"] as Loose | undefined;
    if (grpcStatus) out["grpc_status"] = grpcStatus["status"] ?? 0;
  } else if (type.endsWith("_trailers")) {
    addMutation(out, part["header_mutation"] as Loose | undefined);
  } else {
    body = addCommon(out, (part["response"] ?? {}) as Loose);
  }
  if (response.dynamic_metadata) out["dynamic_metadata"] = fromStruct(response.dynamic_metadata);
  return { message: out as unknown as AnswerMessage, body };
}

function addCommon(out: Record<string, unknown>, common: Loose): Buffer | undefined {
  if (common["status"]) out["status"] = common["status"];
  if (common["clear_route_cache"]) out["clear_route_cache"] = true;
  addMutation(out, common["header_mutation"] as Loose | undefined);
  const mutation = common["body_mutation"] as Loose | undefined;
  if (mutation?.["mutation"] === "streamed_response") {
    const streamed = mutation["streamed_response"] as Loose;
    const body = (streamed["body"] as Buffer | undefined) ?? Buffer.alloc(0);
    out["body"] = describeBytes(body);
    out["end_of_stream"] = streamed["end_of_stream"] ?? false;
    return body;
  }
  if (mutation?.["mutation"] === "body") out["whole_body"] = describeBytes(mutation["body"] as Buffer);
  else if (mutation?.["mutation"] === "clear_body") out["clear_body"] = mutation["clear_body"];
  return undefined;
}

function addMutation(out: Record<string, unknown>, mutation: Loose | undefined): void {
  const set = (mutation?.["set_headers"] ?? []) as readonly Loose[];
  if (set.length > 0) {
    out["set_headers"] = set.map(headerPair).sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  }
  const removed = (mutation?.["remove_headers"] ?? []) as readonly string[];
  if (removed.length > 0) out["remove_headers"] = [...removed].sort();
}

function headerPair(option: Loose): AnswerHeader {
  const header = (option["header"] ?? {}) as { key?: string; value?: string; raw_value?: Buffer };
  const raw = header.raw_value?.length ? header.raw_value : undefined;
  const extra: Record<string, Json> = {};
  if (!raw && header.value) extra["field"] = "value";
  if (option["append"]) extra["append"] = true;
  if (option["append_action"]) extra["append_action"] = option["append_action"] as Json;
  const pair: unknown[] = [header.key ?? "", raw ? textOrBase64(raw) : (header.value ?? "")];
  if (Object.keys(extra).length > 0) pair.push(extra);
  return pair as unknown as AnswerHeader;
}

function textOrBase64(bytes: Buffer): string | { base64: string } {
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : { base64: bytes.toString("base64") };
}
