import type { ParsedRequest, ParseFailure, Parser, ParserInput } from "../../core/parser.ts";
import { ProtoReader, WIRE } from "../../core/proto-reader.ts";
import { grpcPayload } from "./grpc-payload.ts";
import { openaiParser } from "./openai-parser.ts";
import { UNREAD_BOTH_WAYS } from "./passthrough-parser.ts";
import { checkUtf8, readOrExplain } from "./proto-error.ts";
import { createVertexUsageReader } from "./vertexai-usage.ts";

/** Fields of the requests (package google.cloud.aiplatform.v1beta1): all have the same. */
const REQUEST = { endpoint: 1, httpBody: 2 } as const;
/** Fields of google.api.HttpBody. */
const HTTP_BODY = { contentType: 1, data: 2 } as const;
const NO_BYTES = new Uint8Array(0);

/** A method by the end of its path: its message, and the OpenAI path whose body its JSON is. */
const METHODS = [
  { suffix: "PredictionService/ChatCompletions", message: "ChatCompletionsRequest", path: "/chat/completions" },
  { suffix: "PredictionService/StreamRawPredict", message: "StreamRawPredictRequest", path: "/responses" },
  { suffix: "PredictionService/RawPredict", message: "RawPredictRequest", path: "/responses" },
] as const;

/**
 * Vertex AI's prediction service over gRPC: the first message of the body is read, compressed ones are refused. Its
 * HttpBody holds JSON of OpenAI's API, read as by openai-parser; the model in it is told and never rewritten.
 */
export const vertexaiParser: Parser = {
  type: "vertexai-parser",
  claims: METHODS.map(({ suffix }) => suffix),
  parse(input) {
    const method = METHODS.find(({ suffix }) => input.path.endsWith(suffix));
    return method ? parseMethod(method, input) : UNREAD_BOTH_WAYS;
  },
  createResponseReader: createVertexUsageReader,
};

function parseMethod({ message, path }: (typeof METHODS)[number], input: ParserInput): ParsedRequest | ParseFailure {
  const payload = grpcPayload(input.body);
  if (typeof payload === "string") return refused(`invalid or unsupported gRPC payload: ${payload}`);
  const data = readOrExplain(() => readData(payload, message));
  if (typeof data === "string") return refused(`unmarshaling ${message}: ${data}`);
  if (data === undefined) return refused(`${message} has no HttpBody`);
  const parsed = openaiParser.parse({ ...input, header: (name) => input.header(name), path, body: data });
  return parsed.ok ? { ...parsed, rewritable: false } : refused(`parsing ${message}: ${parsed.message}`);
}

const refused = (message: string): ParseFailure => ({ ok: false, message });

/** The data of a request's HttpBody, a view; undefined when it has none. Throws DecodeError when it is malformed. */
function readData(payload: Uint8Array, message: string): Uint8Array | undefined {
  let data: Uint8Array | undefined;
  const reader = new ProtoReader(payload);
  while (reader.next()) {
    const { field, wire } = reader;
    if (wire === WIRE.bytes && field === REQUEST.httpBody) data = readHttpBody(reader.message(), data ?? NO_BYTES);
    else if (wire === WIRE.bytes && field === REQUEST.endpoint) {
      checkUtf8(reader.bytes(), `google.cloud.aiplatform.v1beta1.${message}.endpoint`);
    } else reader.skip();
  }
  return data;
}

function readHttpBody(reader: ProtoReader, before: Uint8Array): Uint8Array {
  let data = before;
  while (reader.next()) {
    const { field, wire } = reader;
    if (wire === WIRE.bytes && field === HTTP_BODY.data) data = reader.bytes();
    else if (wire === WIRE.bytes && field === HTTP_BODY.contentType) {
      checkUtf8(reader.bytes(), "google.api.HttpBody.content_type");
    } else reader.skip();
  }
  return data;
}
