import { fromJSON } from "@grpc/proto-loader";

type Fields = Readonly<Record<string, { id: number; type: string; rule?: "repeated"; options?: object }>>;

const message = (fields: Fields, oneofs?: object) => ({ fields, ...(oneofs && { oneofs }) });
const text = (id: number) => ({ id, type: "string" });
const number = (id: number) => ({ id, type: "uint32" });
const PRESENT = { proto3_optional: true };

/** The messages that the gRPC parsers read, as their projects publish them; fields that no test fills are left out. */
export const MESSAGES = {
  SamplingParams: message({
    temperature: { id: 1, type: "float", options: PRESENT },
    max_tokens: { id: 8, type: "uint32", options: PRESENT },
    stop: { id: 10, type: "string", rule: "repeated" },
  }),
  TokenizedInput: message({ original_text: text(1), input_ids: { id: 2, type: "uint32", rule: "repeated" } }),
  UnpackedInput: message({
    original_text: text(1),
    input_ids: { id: 2, type: "uint32", rule: "repeated", options: { packed: false } },
  }),
  PlaceholderRange: message({ offset: number(1), length: number(2) }),
  MultimodalInputs: message({
    mm_placeholders: { id: 5, type: "PlaceholderRange", rule: "repeated" },
    mm_hashes: { id: 6, type: "string", rule: "repeated" },
  }),
  GenerateRequest: message({
    request_id: text(1),
    tokenized: { id: 2, type: "TokenizedInput" },
    text: text(3),
    sampling_params: { id: 4, type: "SamplingParams" },
    stream: { id: 5, type: "bool" },
    mm_inputs: { id: 7, type: "MultimodalInputs" },
  }),
  UnpackedRequest: message({ tokenized: { id: 2, type: "UnpackedInput" } }),
  GenerateStreamChunk: message({
    token_ids: { id: 1, type: "uint32", rule: "repeated" },
    prompt_tokens: number(2),
    completion_tokens: number(3),
    cached_tokens: number(4),
  }),
  GenerateComplete: message({
    output_ids: { id: 1, type: "uint32", rule: "repeated" },
    finish_reason: text(2),
    prompt_tokens: number(3),
    completion_tokens: number(4),
    cached_tokens: number(5),
  }),
  GenerateResponse: message({
    chunk: { id: 1, type: "GenerateStreamChunk" },
    complete: { id: 2, type: "GenerateComplete" },
  }),
  EmbedRequest: message({ request_id: text(1), tokenized: { id: 2, type: "TokenizedInput" } }),
  EmbedResponse: message({
    embedding: { id: 1, type: "float", rule: "repeated" },
    prompt_tokens: number(2),
    embedding_dim: number(3),
  }),
  HttpBody: message({ content_type: text(1), data: { id: 2, type: "bytes" } }),
  /** Of all methods of Vertex AI's prediction service. */
  PredictRequest: message({ endpoint: text(1), http_body: { id: 2, type: "HttpBody" } }),
} as const;

const definitions = fromJSON({
  nested: {
    test: {
      nested: {
        ...MESSAGES,
        Service: {
          methods: Object.fromEntries(
            Object.keys(MESSAGES).map((name) => [name, { requestType: name, responseType: name }]),
          ),
        },
      },
    },
  },
} as unknown as Parameters<typeof fromJSON>[0]);
const service = definitions["test.Service"] as unknown as Record<string, { requestSerialize(value: object): Buffer }>;

/** A message's bytes, written by protobufjs. */
export const encoded = (name: keyof typeof MESSAGES, value: object): Buffer => service[name].requestSerialize(value);

/** A message in a gRPC frame. */
export function framed(payload: Uint8Array, compressed = 0): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt8(compressed);
  header.writeUInt32BE(payload.length, 1);
  return Buffer.concat([header, payload]);
}
