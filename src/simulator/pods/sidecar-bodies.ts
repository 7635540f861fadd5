/** What the routing side-car reads and writes in bodies. Pure. */
type Fields = Readonly<Record<string, unknown>>;

/** The prompt alone: one token, not streamed, and the blocks held for another pod. As the llm-d side-car's NIXLv2. */
export function prefillBody(fields: Fields): string {
  const { stream_options: _options, min_tokens: _min, ...kept } = fields;
  return JSON.stringify({
    ...kept,
    stream: false,
    max_tokens: 1,
    ...("max_completion_tokens" in kept ? { max_completion_tokens: 1 } : {}),
    kv_transfer_params: {
      do_remote_decode: true,
      do_remote_prefill: false,
      remote_engine_id: null,
      remote_block_ids: null,
      remote_host: null,
      remote_port: null,
    },
  });
}

/** The client's request, with what the prefill pod said about its blocks. */
export const decodeBody = (fields: Fields, kvTransferParams: unknown): string =>
  JSON.stringify({ ...fields, kv_transfer_params: kvTransferParams });

/** What matters of a prefill pod's answer. */
export interface PrefillAnswer {
  readonly kvTransferParams: unknown;
  /** Of the prompt, on the prefill pod; 0 when it does not say. */
  readonly cachedTokens: number;
}

/** Undefined when the text is no JSON object. */
export function readPrefillAnswer(text: string): PrefillAnswer | undefined {
  const answer = asObject(parse(text));
  if (!answer) return undefined;
  const cached = asObject(asObject(answer["usage"])?.["prompt_tokens_details"])?.["cached_tokens"];
  return {
    kvTransferParams: answer["kv_transfer_params"] ?? null,
    cachedTokens: typeof cached === "number" ? cached : 0,
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

const asObject = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

/** First of a header's comma separated `host:port`s, undefined when there is none. Each value is cut at commas. */
export function firstTarget(values: readonly string[]): string | undefined {
  const target = values.flatMap((value) => value.split(","))[0]?.trim();
  return target === "" ? undefined : target;
}

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
