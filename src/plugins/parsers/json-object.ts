import { kindName, overflowErrorText, syntaxErrorText } from "./json-error.ts";
import { scanJson } from "./json-scanner.ts";
import { LITERAL_NULL, OPEN_OBJECT, kindOf, type JsonTape } from "./json-tape.ts";

/**
 * Indexes a body that has to be a JSON object. Returns "" when Go would decode it into a `map[string]any` (null passes
 * too and has no members), else the text of Go's error.
 *
 * @param numbers `any`: numbers that no float64 holds pass, as where Go decodes into a struct without them
 */
export function scanObject(tape: JsonTape, body: Uint8Array, numbers: "finite" | "any" = "finite"): string {
  if (!scanJson(tape, body)) return syntaxErrorText(tape);
  const kind = kindOf(tape, 0);
  if (kind !== OPEN_OBJECT && kind !== LITERAL_NULL) {
    return `json: cannot unmarshal ${kindName(kind)} into Go value of type map[string]interface {}`;
  }
  return numbers === "any" || tape.overflowNode < 0 ? "" : overflowErrorText(tape);
}
