import type { MediaSettings, PromptMedia } from "../../../core/media.ts";
import type { ParseFailure, ParsedRequest, Parser } from "../../../core/parser.ts";

/** Parses a body given as text, bytes or a value to be written as JSON. */
export function parseBody(
  parser: Parser,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  media?: MediaSettings,
): ParsedRequest | ParseFailure {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  return parser.parse({ path, header: (name) => headers[name], body: bytes, ...(media && { media }) });
}

/** The accepted request; throws the refusal otherwise. */
export function accepted(result: ParsedRequest | ParseFailure): ParsedRequest {
  if (!result.ok) throw new Error(`refused: ${result.message}`);
  return result;
}

/** The text of a refusal; "" when the body was accepted. */
export function refusal(result: ParsedRequest | ParseFailure): string {
  return result.ok ? "" : result.message;
}

/** A request's prompts as text, without the padding; a NUL within stays. */
export function promptTexts(result: ParsedRequest | ParseFailure): readonly string[] {
  return (accepted(result).prompts() ?? []).map(({ bytes }) => {
    if (bytes.length % 4 !== 0) throw new Error(`a prompt of ${bytes.length} bytes is not padded`);
    return Buffer.from(bytes)
      .toString()
      .replace(/\0{0,3}$/, "");
  });
}

/** A request's prompts as token ids. */
export function promptIds(result: ParsedRequest | ParseFailure): readonly (readonly number[])[] {
  return (accepted(result).prompts() ?? []).map(({ bytes }) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
  });
}

/** What a request's prompts tell of their media. */
export function promptMedia(result: ParsedRequest | ParseFailure): readonly (readonly PromptMedia[] | undefined)[] {
  return (accepted(result).prompts() ?? []).map(({ media }) => media);
}
