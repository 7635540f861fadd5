import { cookieFact } from "../core/cookie-fact.ts";
import { mediaOf } from "../core/media.ts";
import type { ParsedRequest, Parser } from "../core/parser.ts";
import type { Rejection } from "../core/rejection.ts";
import { type HeaderValues, headerText, pathOf, REQUEST_ID_HEADER } from "./header-rules.ts";
import { nameTooLong, noParser } from "./immediate-response.ts";
import type { ArrivingFacts, MachineOptions, ReadingPlan } from "./machine-options.ts";

/** Most characters of a model's name and of a cache salt: both are kept until the answer ends. */
const NAME_CHARS_MAX = 4096;

/** What of a server's options reading a request takes. */
export type ReadingOptions = Pick<MachineOptions, "plan" | "blockIds" | "probe">;

/** A request as it was read: what the core is told, and what the answer will need. */
export interface ReadRequest {
  readonly facts: ArrivingFacts;
  /** Undefined for a request without a body. */
  readonly parser: Parser | undefined;
  readonly parsed: ParsedRequest | undefined;
}

/** x-request-id of a request, made up when it is absent or empty. */
export interface RequestId {
  readonly value: string;
  readonly made: boolean;
}

/** Finds or makes the request's id. */
export function requestIdOf(headers: HeaderValues, newRequestId: () => string): RequestId {
  const given = headerText(headers, REQUEST_ID_HEADER);
  return given ? { value: given, made: false } : { value: newRequestId(), made: true };
}

/**
 * Reads a complete request by the parser of its path: facts for the core, or why it is refused.
 *
 * @param subset the hint that counts; undefined when there is none
 */
export function readRequest(
  options: ReadingOptions,
  headers: HeaderValues,
  requestId: string,
  body: Uint8Array,
  subset: readonly string[] | undefined,
): ReadRequest | Rejection {
  const plan = options.plan();
  const path = pathOf(headers);
  const parser = plan.resolveParser(path);
  if (!parser) return noParser(path);
  const { media } = plan;
  const header = (name: string) => headerText(headers, name);
  options.probe?.("RequestParsing", parser.type, "begin");
  const parsed = parser.parse({ path, header, body, ...(media && { media }) });
  options.probe?.("RequestParsing", parser.type, "end");
  if (!parsed.ok) return { code: "BadRequest", message: parsed.message };
  if (parsed.model.length > NAME_CHARS_MAX) return nameTooLong("model", parsed.model, NAME_CHARS_MAX);
  if (parsed.cacheSalt.length > NAME_CHARS_MAX) return nameTooLong("cache_salt", parsed.cacheSalt, NAME_CHARS_MAX);
  const facts: ArrivingFacts = {
    requestId,
    bodyless: false,
    parser: parser.type,
    model: parsed.model,
    rewritable: parsed.rewritable,
    stream: parsed.stream,
    maxOutputTokens: parsed.maxOutputTokens,
    cacheSalt: parsed.cacheSalt,
    bodyBytes: body.length,
    ...tokensOf(options, plan, parsed),
    headers: namedHeaders(headers, plan.headerNames),
    ...(subset && { subset }),
  };
  return { facts, parser, parsed };
}

/** Facts of a request without a body: any endpoint will do, so neither body, tokens nor the subset hint count. */
export function readBodylessRequest(options: ReadingOptions, headers: HeaderValues, requestId: string): ReadRequest {
  const facts: ArrivingFacts = {
    requestId,
    bodyless: true,
    parser: "",
    model: "",
    rewritable: false,
    stream: false,
    maxOutputTokens: -1,
    cacheSalt: "",
    bodyBytes: 0,
    inputTokens: -1,
    blocks: [],
    headers: namedHeaders(headers, options.plan().headerNames),
  };
  return { facts, parser: undefined, parsed: undefined };
}

function tokensOf(
  options: ReadingOptions,
  plan: ReadingPlan,
  parsed: ParsedRequest,
): Pick<ArrivingFacts, "inputTokens" | "promptBytes" | "blocks" | "media"> {
  const prompts = plan.tokenizes ? parsed.prompts() : undefined;
  if (!prompts) return { inputTokens: -1, blocks: [] };
  const media = mediaOf(prompts);
  return { ...options.blockIds(prompts, plan.blockSizesTokens), ...(media && { media }) };
}

function namedHeaders(headers: HeaderValues, names: readonly string[]): Readonly<Record<string, string>> {
  const named: Record<string, string> = {};
  for (const name of names) {
    const value = cookieFact(name, headerText(headers, "cookie")) ?? headerText(headers, name);
    if (value !== undefined) named[name] = value;
  }
  return named;
}
