import type { RewriteMode } from "../../core/parser.ts";
import { ByteSink } from "./byte-sink.ts";
import { appendGoJson, appendGoText } from "./go-json.ts";
import { findMembers, keySet } from "./json-members.ts";
import { tapeOf } from "./json-request.ts";
import { countOf, endOf, startOf, type JsonTape } from "./json-tape.ts";

const KEYS = keySet("model");
/** Room for the new name and what Go's escapes add. */
const SLACK_BYTES = 256;

/**
 * A body (an object) with another model name, as parts to be sent in order.
 * - `splice`: the bytes around the last `model` member's value stay as they are; without one it becomes the first member.
 * - `stock`: the whole object as Go marshals it, which sorts members and takes numbers through float64.
 */
export function rewriteModel(body: Uint8Array, model: string, mode: RewriteMode): readonly Uint8Array[] {
  const tape = tapeOf(body);
  return mode === "stock" ? [marshalled(tape, model)] : spliced(tape, model);
}

function marshalled(tape: JsonTape, model: string): Uint8Array {
  const sink = new ByteSink(tape.bytes.length + SLACK_BYTES);
  appendGoJson(tape, 0, sink, { key: KEYS[0], value: model });
  return sink.written();
}

function spliced(tape: JsonTape, model: string): readonly Uint8Array[] {
  const { bytes } = tape;
  const sink = new ByteSink(model.length + SLACK_BYTES);
  const [node] = findMembers(tape, 0, KEYS);
  if (node >= 0) {
    appendGoText(model, sink);
    return [bytes.subarray(0, startOf(tape, node)), sink.written(), bytes.subarray(endOf(tape, node))];
  }
  const behindBrace = startOf(tape, 0) + 1;
  sink.ascii('"model":');
  appendGoText(model, sink);
  if (countOf(tape, 0) > 0) sink.ascii(",");
  return [bytes.subarray(0, behindBrace), sink.written(), bytes.subarray(behindBrace)];
}
