/** What the routing side-car reads and writes in bodies. Pure. */
type Fields = Readonly<Record<string, unknown>>;

/** A request for one token, not streamed. */
function oneToken(fields: Fields): Fields {
  const { stream_options: _options, min_tokens: _min, ...kept } = fields;
  const completion = "max_completion_tokens" in kept ? { max_completion_tokens: 1 } : {};
  return { ...kept, stream: false, max_tokens: 1, ...completion };
}

/** The prompt alone, and the blocks held for another pod. As the llm-d side-car's NIXLv2. */
export const prefillBody = (fields: Fields): string =>
  JSON.stringify({
    ...oneToken(fields),
    kv_transfer_params: {
      do_remote_decode: true,
      do_remote_prefill: false,
      remote_engine_id: null,
      remote_block_ids: null,
      remote_host: null,
      remote_port: null,
    },
  });

/** One of a prompt's pictures, sounds or films alone. */
export const encodeBody = (fields: Fields, item: Fields): string =>
  JSON.stringify({ ...oneToken(fields), messages: [{ role: "user", content: [item] }] });

const MEDIA_TYPES = new Set(["image_url", "audio_url", "video_url", "input_audio"]);

/** A chat's pictures, sounds and films, each URL once. */
export function mediaParts({ messages }: Fields): readonly Fields[] {
  const parts = listOf(messages)
    .flatMap((message) => listOf(asObject(message)?.["content"]))
    .map(asObject)
    .filter((part) => part !== undefined);
  const seen = new Set<string>();
  return parts.filter((part) => {
    const type = String(part["type"]);
    if (!MEDIA_TYPES.has(type)) return false;
    const url = asObject(part[type])?.["url"];
    if (typeof url !== "string") return true;
    const first = !seen.has(url);
    seen.add(url);
    return first;
  });
}

/** The client's request, with what the prefill pod said about its blocks. */
export const decodeBody = (fields: Fields, kvTransferParams: unknown): string =>
  JSON.stringify({ ...fields, kv_transfer_params: kvTransferParams });

/** What matters of a prefill or encode pod's answer. */
export interface PrefillAnswer {
  readonly kvTransferParams: unknown;
  /** Of the prompt, on the prefill pod; 0 when it does not say. */
  readonly cachedTokens: number;
  /** Of an encode pod: where its items are. */
  readonly ecTransferParams: Fields | undefined;
}

/** Undefined when the text is no JSON object. */
export function readPrefillAnswer(text: string): PrefillAnswer | undefined {
  const answer = asObject(parse(text));
  if (!answer) return undefined;
  const cached = asObject(asObject(answer["usage"])?.["prompt_tokens_details"])?.["cached_tokens"];
  return {
    kvTransferParams: answer["kv_transfer_params"] ?? null,
    cachedTokens: typeof cached === "number" ? cached : 0,
    ecTransferParams: asObject(answer["ec_transfer_params"]),
  };
}

/** A body as an object, undefined when it is none. */
export const parseFields = (text: string): Fields | undefined => asObject(parse(text));

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

const asObject = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** A header's comma separated `host:port`s. */
export const targetsOf = (values: readonly string[] = []): readonly string[] =>
  values
    .flatMap((value) => value.split(","))
    .map((target) => target.trim())
    .filter((target) => target !== "");

/** True for `host:port`, the host perhaps an IPv6 address in brackets. */
export function isHostPort(target: string): boolean {
  const [, port] = /^(?:\[[0-9a-fA-F:.]+\]|[^\s/@?#[\]:]+):(\d{1,5})$/.exec(target) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

/** `cached_tokens` where usage stands: key names in strings have a backslash before their quote, so they don't match. */
const CACHED_TOKENS = /("prompt_tokens_details":\s*\{[^{}]*?"cached_tokens":\s*)\d+/g;

/** A line of an answer with the prefill pod's cached tokens in its usage: to the decode pod the whole prompt is cached. */
export const withCachedTokens = (line: string, cachedTokens: number): string =>
  line.includes('"cached_tokens"') ? line.replace(CACHED_TOKENS, `$1${cachedTokens}`) : line;
