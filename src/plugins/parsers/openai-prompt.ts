/** The `prompt` of completions and the `input` of embeddings: a string, strings, or token ids. */
import type { PromptTokens } from "../../core/parser.ts";
import { readUint32 } from "./json-number.ts";
import { OPEN_ARRAY, QUOTE, countOf, endOf, firstOf, isString, kindOf, startOf, type JsonTape } from "./json-tape.ts";

export type PromptForm = "string" | "strings" | "token-ids" | "invalid";

/**
 * Form of a prompt. Valid are a string that is not empty, an array of strings (which may be empty), an array of
 * integers from 0 to 2^32 - 1. Mixed, nested and empty arrays are not.
 */
export function promptForm(tape: JsonTape, node: number): PromptForm {
  const form = promptFormByStart(tape, node);
  if (form !== "strings" && form !== "token-ids") return form;
  // The elements that pass are scalars: each takes two words.
  const end = firstOf(node) + 2 * countOf(tape, node);
  for (let element = firstOf(node); element < end; element += 2) {
    if (form === "strings" ? !isString(tape, element) : readUint32(tape, element) < 0) return "invalid";
  }
  return form;
}

/** The same of a prompt that is known to be valid: looks no further than its first element. */
export function promptFormByStart(tape: JsonTape, node: number): PromptForm {
  if (node < 0) return "invalid";
  const kind = kindOf(tape, node);
  if (kind === QUOTE) return endOf(tape, node) - startOf(tape, node) > 2 ? "string" : "invalid";
  if (kind !== OPEN_ARRAY || countOf(tape, node) === 0) return "invalid";
  return isString(tape, firstOf(node)) ? "strings" : "token-ids";
}

/** Token ids of an array whose elements were found valid; null counts as 0, as in Go. */
export function tokenIds(tape: JsonTape, array: number): PromptTokens {
  const count = countOf(tape, array);
  const bytes = new Uint8Array(4 * count);
  const view = new DataView(bytes.buffer);
  const first = firstOf(array);
  for (let i = 0; i < count; i++) view.setUint32(4 * i, Math.max(0, readUint32(tape, first + 2 * i)), true);
  return { bytes };
}
