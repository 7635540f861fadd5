import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import type { MetadataValue } from "../messages.ts";

/** Plain objects as proto-loader takes and gives them (names as in the definitions). */
export type Loose = { [key: string]: unknown };

interface Codec {
  encodeRequest(value: Loose): Buffer;
  decodeRequest(bytes: Uint8Array): Loose;
  encodeResponse(value: Loose): Buffer;
  decodeResponse(bytes: Uint8Array): Loose;
}

/** proto-loader's codec of the two ext_proc messages: the oracle of ours. */
export const oracle: Codec = (() => {
  const protoDir = fileURLToPath(new URL("../../../proto/", import.meta.url));
  const definitions = loadSync("envoy/service/ext_proc/v3/external_processor.proto", {
    keepCase: true,
    longs: Number,
    enums: Number,
    defaults: false,
    oneofs: true,
    includeDirs: [protoDir],
  });
  const { Process } = definitions["envoy.service.ext_proc.v3.ExternalProcessor"] as unknown as Record<
    "Process",
    {
      requestSerialize(value: Loose): Buffer;
      requestDeserialize(bytes: Buffer): Loose;
      responseSerialize(value: Loose): Buffer;
      responseDeserialize(bytes: Buffer): Loose;
    }
  >;
  return {
    encodeRequest: (value) => Process.requestSerialize(value),
    decodeRequest: (bytes) => Process.requestDeserialize(Buffer.from(bytes)),
    encodeResponse: (value) => Process.responseSerialize(value),
    decodeResponse: (bytes) => Process.responseDeserialize(Buffer.from(bytes)),
  };
})();

type ValueMessage = {
  kind?: string;
  stringValue?: string;
  numberValue?: number;
  boolValue?: boolean;
  listValue?: { values?: ValueMessage[] };
  structValue?: StructMessage;
};
export type StructMessage = { fields?: { [key: string]: ValueMessage } };

/** A JSON object as google.protobuf.Struct for the oracle. */
export const structOf = (object: { readonly [key: string]: MetadataValue }): StructMessage => ({
  fields: Object.fromEntries(Object.entries(object).map(([key, value]) => [key, valueOf(value)])),
});

function valueOf(value: MetadataValue): ValueMessage {
  if (value === null) return { nullValue: 0 } as ValueMessage;
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(valueOf) } };
  return { structValue: structOf(value as { readonly [key: string]: MetadataValue }) };
}

/** The oracle's Struct as a JSON object. */
export const objectOf = (struct: StructMessage | undefined): { [key: string]: MetadataValue } =>
  Object.fromEntries(Object.entries(struct?.fields ?? {}).map(([key, value]) => [key, plainOf(value)]));

function plainOf(value: ValueMessage): MetadataValue {
  switch (value.kind) {
    case "stringValue":
      return value.stringValue ?? "";
    case "numberValue":
      return value.numberValue ?? 0;
    case "boolValue":
      return value.boolValue ?? false;
    case "listValue":
      return (value.listValue?.values ?? []).map(plainOf);
    case "structValue":
      return objectOf(value.structValue);
    default:
      return null;
  }
}
