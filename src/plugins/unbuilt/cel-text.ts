import { z } from "zod";

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const TOKEN = /\s+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z0-9_.]+|[-+*/%<>=!&|?:,]|[()[\]{}]/y;
const OPERATOR = /^[-+*/%<>=!&|?:,]$/;

/**
 * True when a text can be CEL as far as its brackets, its texts and its end go: all are closed, and no operator waits
 * for its right side. A text that passes may still be no CEL: that is seen when the expression is compiled.
 */
function mayBeCel(text: string): boolean {
  const open: string[] = [];
  let last = "";
  for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) return false;
    if (token.trim() === "") continue;
    if (token in CLOSING) open.push(CLOSING[token]);
    else if (/[)\]}]/.test(token) && token.length === 1 && open.pop() !== token) return false;
    last = token;
  }
  return open.length === 0 && !OPERATOR.test(last) && !last.endsWith(".");
}

/** A CEL expression, seen from outside only. */
export const celText = z.string().refine(mayBeCel, "a CEL expression that is whole");
