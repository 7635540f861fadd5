import type { ParsedRequest, ParseFailure, Parser, PromptTokens } from "../../core/parser.ts";
import { ByteSink } from "./byte-sink.ts";
import { grpcPayload } from "./grpc-payload.ts";
import { UNREAD_BOTH_WAYS } from "./passthrough-parser.ts";
import { readOrExplain } from "./proto-error.ts";
import { mediaOfParts, readEmbed, readGenerate, type EngineRequest, type PromptParts } from "./vllmgrpc-request.ts";
import { createVllmGrpcUsageReader } from "./vllmgrpc-usage.ts";

type Read = (payload: Uint8Array, parts?: PromptParts) => EngineRequest;

interface Method {
  readonly message: string;
  readonly read: Read;
  /** Why a message without a prompt is refused. */
  readonly noInput: string;
}

const METHODS: ReadonlyMap<string, Method> = new Map([
  [
    "/vllm.grpc.engine.VllmEngine/Generate",
    { message: "GenerateRequest", read: readGenerate, noInput: "not supported request inputType" },
  ],
  [
    "/vllm.grpc.engine.VllmEngine/Embed",
    { message: "EmbedRequest", read: readEmbed, noInput: "missing tokenized input in EmbedRequest" },
  ],
]);

/**
 * vLLM's gRPC API (package vllm.grpc.engine): the first message of the body is read, compressed ones are refused. A
 * path that only ends like one of its methods passes with its response unread. It names no model, so none is rewritten.
 */
export const vllmgrpcParser: Parser = {
  type: "vllmgrpc-parser",
  claims: [...METHODS.keys()],
  parse({ path, body }) {
    const payload = grpcPayload(body);
    if (typeof payload === "string") return { ok: false, message: "invalid or unsupported gRPC payload" };
    const method = METHODS.get(path);
    return method ? parseMethod(method, payload) : UNREAD_BOTH_WAYS;
  },
  createResponseReader: createVllmGrpcUsageReader,
};

function parseMethod({ message, read, noInput }: Method, payload: Uint8Array): ParsedRequest | ParseFailure {
  const request = readOrExplain(() => read(payload));
  if (typeof request === "string") return { ok: false, message: `unmarshaling ${message}: ${request}` };
  if (request.input === "none") return { ok: false, message: noInput };
  return {
    ok: true,
    model: "",
    stream: request.stream,
    maxOutputTokens: request.maxOutputTokens,
    cacheSalt: "",
    rewritable: false,
    skipResponse: false,
    prompts: () => [request.input === "text" ? textPrompt(request.text) : tokenizedPrompt(read, payload)],
  };
}

function textPrompt(text: Uint8Array): PromptTokens {
  const sink = new ByteSink((text.length + 3) & ~3);
  sink.copy(text, 0, text.length);
  const paddingBytes = sink.align();
  return { bytes: sink.written(), ...(paddingBytes > 0 && { paddingBytes }) };
}

function tokenizedPrompt(read: Read, payload: Uint8Array): PromptTokens {
  const parts: PromptParts = { ids: new ByteSink(payload.length), ranges: [], hashes: [] };
  read(payload, parts);
  const media = mediaOfParts(parts);
  return { bytes: parts.ids.written(), ...(media.length > 0 && { media }) };
}
