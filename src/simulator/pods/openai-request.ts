import type { PromptMessage } from "../engine/chat-template.ts";
import { mediaItem, type MediaItem } from "../engine/media-item.ts";
import { ApiError, badRequest, invalidField } from "./api-error.ts";
import { readEcTransferParams, type RemoteMedia } from "./ec-transfer-params.ts";
import { readKvTransferParams, type KvTransferAsk } from "./kv-transfer-params.ts";

/** What a completions or chat request asks for, as far as a simulated pod heeds it. */
export interface GenerationParams {
  readonly kind: "chat" | "completion";
  /** The model or adapter as asked for. */
  readonly model: string;
  /** Adapter's name, undefined for the model itself. */
  readonly adapter: string | undefined;
  readonly prompt:
    { readonly messages: readonly PromptMessage[] } | { readonly text: string } | { readonly ids: Uint32Array };
  /** Undefined: the API's default (16 for completions, what the context leaves for chat). */
  readonly tokensMaxAsked: number | undefined;
  /** Set when the prompt is known; before, 0. */
  readonly tokensMax: number;
  readonly tokensMin: number;
  readonly ignoreEnd: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly cacheSalt: string | undefined;
  readonly kvTransfer: KvTransferAsk;
  /** Where media of the prompt are encoded already, by their hash. */
  readonly ecTransfer: ReadonlyMap<string, RemoteMedia>;
}

/** What the pod serves. */
export interface ServedModels {
  readonly modelName: string;
  readonly loraAdapters: readonly string[];
  /** Tokens that stand for one picture, sound or film; 0 for a model that takes none. */
  readonly mediaTokens: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a body. Throws ApiError: 400 for JSON or fields that are wrong, 404 for a model that is not served. */
export function parseGeneration(kind: GenerationParams["kind"], body: string, served: ServedModels): GenerationParams {
  const fields = parseObject(body);
  const prompt =
    kind === "chat" ? { messages: readMessages(fields.messages, served.mediaTokens) } : readPrompt(fields.prompt);
  const model = readModel(fields.model, served);
  const streamOptions = asObject(fields.stream_options ?? {}, "body.stream_options");
  const stream = readBoolean(fields.stream, "body.stream");
  if (!stream && fields.stream_options !== undefined && fields.stream_options !== null) {
    throw badRequest("Stream options can only be defined when `stream=True`.", "stream_options");
  }
  if ((readCount(fields.n, "n", 1) ?? 1) !== 1) throw badRequest("A simulated pod gives one answer: n must be 1.", "n");
  return {
    kind,
    model,
    adapter: model === served.modelName ? undefined : model,
    prompt,
    tokensMaxAsked:
      readCount(fields.max_completion_tokens, "max_completion_tokens", 1) ??
      readCount(fields.max_tokens, "max_tokens", 1),
    tokensMax: 0,
    tokensMin: readCount(fields.min_tokens, "min_tokens", 0) ?? 0,
    ignoreEnd: readBoolean(fields.ignore_eos, "body.ignore_eos"),
    stream,
    includeUsage: readBoolean(streamOptions.include_usage, "body.stream_options.include_usage"),
    continuousUsage: readBoolean(streamOptions.continuous_usage_stats, "body.stream_options.continuous_usage_stats"),
    cacheSalt: readSalt(fields.cache_salt),
    ecTransfer: readEcTransferParams(fields["ec_transfer_params"]),
    kvTransfer: readKvTransferParams(fields["kv_transfer_params"]),
  };
}

/** The body as an object. Throws ApiError when it is no JSON object. */
export function parseObject(body: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    const text = error instanceof Error ? error.message : "";
    const position =
      /at position (\d+)/.exec(text)?.[1] ?? (text.includes("end of JSON") ? String(body.length) : undefined);
    throw invalidField(position === undefined ? "body" : `body.${position}`, "json_invalid", "JSON decode error");
  }
  return asObject(value, "body");
}

function asObject(value: unknown, location: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalidField(location, "dict_type", "Input should be a valid dictionary");
  }
  return value as Fields;
}

function readModel(value: unknown, { modelName, loraAdapters }: ServedModels): string {
  // vLLM takes a request without a model as one for the model it serves.
  if (value === undefined || value === null) return modelName;
  if (typeof value !== "string") throw invalidField("body.model", "string_type", "Input should be a valid string");
  if (value === modelName || loraAdapters.includes(value)) return value;
  const aliases = [modelName, ...loraAdapters].join(", ");
  throw new ApiError(
    404,
    "NotFoundError",
    `The model \`${value}\` does not exist. Valid aliases: ${aliases}.`,
    "model",
  );
}

function readMessages(value: unknown, mediaTokens: number): PromptMessage[] {
  if (value === undefined) throw invalidField("body.messages", "missing", "Field required");
  if (!Array.isArray(value)) throw invalidField("body.messages", "list_type", "Input should be a valid list");
  const messages = value.map((item: unknown, i) => {
    const location = `body.messages.${i}`;
    const { role, content } = asObject(item, location);
    if (typeof role !== "string") throw invalidField(`${location}.role`, "missing", "Field required");
    return { role, content: readContent(content, `${location}.content`, mediaTokens) };
  });
  const items = mediaOf(messages).length;
  if (items > MEDIA_MAX) throw badRequest(`At most ${MEDIA_MAX} media items may be provided, got ${items}.`, null);
  return messages;
}

/** Pictures, sounds and films in one prompt. */
const MEDIA_MAX = 64;

/** All media of a prompt, in order. */
export const mediaOf = (messages: readonly PromptMessage[]): readonly MediaItem[] =>
  messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.filter((part) => typeof part !== "string"),
  );

/** Text, parts of text put together, or parts of text and media. */
function readContent(value: unknown, location: string, mediaTokens: number): PromptMessage["content"] {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  if (!Array.isArray(value)) throw invalidField(location, "string_type", "Input should be a valid string");
  const parts = value.map((part: unknown, i) => {
    const fields = asObject(part, `${location}.${i}`);
    const { type, text } = fields;
    if (type !== "text") return readMedia(fields, `${location}.${i}`, mediaTokens);
    if (typeof text !== "string") throw invalidField(`${location}.${i}.text`, "missing", "Field required");
    return text;
  });
  return parts.every((part) => typeof part === "string") ? parts.join("\n") : parts;
}

/** Where the content of each type of part stands. */
const MEDIA_CONTENT: Readonly<Record<string, string>> = {
  image_url: "url",
  audio_url: "url",
  video_url: "url",
  input_audio: "data",
};

function readMedia(part: Fields, location: string, mediaTokens: number): MediaItem {
  const type = String(part["type"]);
  const key = Object.hasOwn(MEDIA_CONTENT, type) ? MEDIA_CONTENT[type] : undefined;
  if (mediaTokens === 0 || key === undefined) throw badRequest("The simulated model is not a multimodal model.", null);
  const content = asObject(part[type], `${location}.${type}`)[key];
  if (typeof content === "string" && content !== "") return mediaItem(content, mediaTokens);
  throw invalidField(`${location}.${type}.${key}`, "missing", "Field required");
}

function readPrompt(value: unknown): GenerationParams["prompt"] {
  const one: unknown = Array.isArray(value) && value.length === 1 && typeof value[0] !== "number" ? value[0] : value;
  if (typeof one === "string" && one !== "") return { text: one };
  if (Array.isArray(one) && one.length > 0 && one.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff)) {
    return { ids: Uint32Array.from(one as number[]) };
  }
  if (one === undefined || one === null || one === "" || (Array.isArray(one) && one.length === 0)) {
    throw badRequest("Either prompt or prompt_embeds must be provided and non-empty.", "prompt");
  }
  throw badRequest("A simulated pod takes one prompt: text, or a list of token ids.", "prompt");
}

function readCount(value: unknown, param: string, least: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw invalidField(`body.${param}`, "int_type", "Input should be a valid integer");
  }
  if (value < least) throw badRequest(`${param} must be at least ${least}, got ${value}.`, param);
  return value;
}

function readBoolean(value: unknown, location: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean") throw invalidField(location, "bool_type", "Input should be a valid boolean");
  return value;
}

function readSalt(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw badRequest("Parameter 'cache_salt' must be a non-empty string if provided.", "cache_salt");
}
