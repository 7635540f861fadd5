import fc from "fast-check";
import { expect, it } from "vitest";
import type { RewriteMode } from "../../src/core/parser.ts";
import { findMembers, keySet } from "../../src/plugins/parsers/json-members.ts";
import { readNumber } from "../../src/plugins/parsers/json-number.ts";
import { scanJson } from "../../src/plugins/parsers/json-scanner.ts";
import { readString } from "../../src/plugins/parsers/json-string.ts";
import {
  countOf,
  firstOf,
  isNumber,
  JsonTape,
  kindOf,
  LITERAL_NULL,
  LITERAL_TRUE,
  nextOf,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from "../../src/plugins/parsers/json-tape.ts";
import { rewriteModel } from "../../src/plugins/parsers/model-rewrite.ts";

/** `JSON_FUZZ_SECONDS=600 JSON_FUZZ_SEED=7 npx vitest run --project golden test/golden/json-fuzz.test.ts` */
const SECONDS = Number(process.env["JSON_FUZZ_SECONDS"] ?? 3);
const SEED = Number(process.env["JSON_FUZZ_SEED"] ?? (Math.random() * 2 ** 31) | 0);
const KEYS = ["model", "a", "", "é", "__proto__"];

const tape = new JsonTape();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as Go decodes them into a string: each byte that is no part of a UTF-8 sequence becomes U+FFFD. */
function goText(bytes: Buffer): string {
  try {
    return strict.decode(bytes);
  } catch {
    let text = "";
    for (let p = 0; p < bytes.length;) {
      const length = [1, 2, 3, 4].find((n) => p + n <= bytes.length && isUtf8(bytes.subarray(p, p + n)));
      text += length === undefined ? "\ufffd" : strict.decode(bytes.subarray(p, p + length));
      p += length ?? 1;
    }
    return text;
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A text as UTF-8 tells it: lone surrogates become U+FFFD. */
const wellFormed = (text: string): string => Buffer.from(text).toString();

/** What JSON.parse makes of it, with lone surrogates as Go reads them; undefined when it is no JSON. */
function parsed(bytes: Buffer): unknown {
  const text = goText(bytes);
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return restored(JSON.parse(text.replace(ESCAPE, withoutEscape)));
}

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(.))/g;
const SHORT: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
/** Private characters from here on stand for those which JSON must escape, and for surrogates. */
const STAND_IN = 0xf0000;

/**
 * An escape as a character. JSON.parse of Node 24 takes a key with an escape for the key `\\` of an object before:
 * `JSON.parse('{"\\\\":1}')`, and then `{"\\u00e9":1}` has that key, too. So it gets none to read.
 */
function withoutEscape(_: string, hex: string | undefined, letter: string): string {
  const char = hex === undefined ? (SHORT[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16));
  const code = char.charCodeAt(0);
  const isSurrogate = code >= 0xd800 && code < 0xe000;
  return isSurrogate || code < 0x20 || char === '"' || char === "\\" ? String.fromCodePoint(STAND_IN + code) : char;
}

function restored(value: unknown): unknown {
  if (typeof value === "string") return restoredText(value);
  if (Array.isArray(value)) return value.map(restored);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [restoredKey(key), restored(part)]));
}

const restoredKey = (text: string): string =>
  text.replace(/[\u{f0000}-\u{fdfff}]/gu, (char) => String.fromCharCode(char.codePointAt(0)! - STAND_IN));

const restoredText = (text: string): string => wellFormed(restoredKey(text));

/** The value of a node, built by walking the tape. Keys as Go reads them, so that two may become one. */
function valueOf(node: number): unknown {
  const kind = kindOf(tape, node);
  if (kind === QUOTE) return readString(tape, node);
  if (isNumber(tape, node)) return readNumber(tape, node);
  if (kind !== OPEN_ARRAY && kind !== OPEN_OBJECT) return kind === LITERAL_NULL ? null : kind === LITERAL_TRUE;
  const isObject = kind === OPEN_OBJECT;
  const values: [string, unknown][] = [];
  let child = firstOf(node);
  for (let i = countOf(tape, node); i > 0; i--) {
    const value = isObject ? child + 2 : child;
    values.push([isObject ? readString(tape, child) : "", valueOf(value)]);
    child = nextOf(tape, value);
  }
  return isObject ? Object.fromEntries(values) : values.map(([, value]) => value);
}

const piece = (...texts: readonly string[]) => fc.constantFrom(...texts.map((text) => Buffer.from(text, "latin1")));
const joined = (parts: readonly Buffer[]) => Buffer.concat(parts);
const space = fc.oneof({ weight: 5, arbitrary: piece("") }, piece(" ", "\n", "\r\t ", "  "));
const character = fc.oneof(
  { weight: 4, arbitrary: piece("a", "model", "x".repeat(17), "\xc3\xa9", "\xf0\x9f\x98\x80", "\xe2\x80\xa8", "\x7f") },
  { weight: 2, arbitrary: piece('\\"', "\\\\", "\\/", "\\b", "\\n", "\\u0041", "\\u00e9", "\\u2028", "\\u0000") },
  piece("\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\ud83d\\ud83d\\ude00", "\\uDBFF\\uDFFF"),
  piece("\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x80", "\xf0\x9f\x98"),
);
const string = fc
  .array(character, { maxLength: 6 })
  .map((parts) => joined([Buffer.from('"'), ...parts, Buffer.from('"')]));
const key = fc.oneof(
  ...KEYS.map((name) => fc.constant(Buffer.from(JSON.stringify(name)))),
  piece('"mod\\u0065l"', '"\\u0061"', '"\\u00E9"', '"\xff"', '"\\ud800"'),
  string,
);
const number = fc.oneof(
  fc
    .double()
    .filter(Number.isFinite)
    .map((value) => Buffer.from(String(value))),
  fc.maxSafeInteger().map((value) => Buffer.from(String(value))),
  piece(
    "-0",
    "0e5",
    "1E+3",
    "1e308",
    "-1e309",
    "1e-400",
    "123456789012345678901234567890",
    "0.1",
    "10000000000000000000000",
  ),
);
const LITERALS = piece("true", "false", "null");

const value = fc.letrec<{ value: Buffer }>((tie) => {
  const spaced = fc.tuple(space, tie("value"), space).map(joined);
  const listed = (items: fc.Arbitrary<Buffer>, open: string, close: string) =>
    fc.tuple(space, fc.array(items, { maxLength: 5 })).map(([gap, all]) => {
      const inside = all.flatMap((item, i) => (i === 0 ? [item] : [Buffer.from(","), item]));
      return joined([Buffer.from(open), gap, ...inside, Buffer.from(close)]);
    });
  const member = fc.tuple(space, key, space, piece(":"), spaced).map(joined);
  return {
    value: fc.oneof(
      { maxDepth: 5, depthIdentifier: "json" },
      fc.oneof(string, number, LITERALS),
      listed(member, "{", "}"),
      listed(spaced, "[", "]"),
    ),
  };
}).value;

/** Objects mostly: bodies are. */
const document = fc.oneof(
  { weight: 3, arbitrary: value },
  fc.nat(300).map((depth) => Buffer.from("[".repeat(depth) + "]".repeat(depth))),
);
const damage = fc.oneof(
  fc.constant([]),
  fc.array(
    fc.tuple(
      fc.nat(),
      fc.nat(3),
      fc.oneof(piece(...Array.from('{}[]":,\\/ntu019.eE+- ')), piece("\x00", "\x1f", "\xef\xbb\xbf", "\xff", "\xa0")),
    ),
    { maxLength: 3 },
  ),
);

it(
  "the scanner takes what JSON.parse takes, finds the same values, and rewrites a model alone",
  () => {
    const counts = { documents: 0, valid: 0, rewritten: 0 };
    const property = fc.property(document, damage, (whole, changes) => {
      let bytes = whole;
      for (const [at, cut, inserted] of changes) {
        const p = at % (bytes.length + 1);
        bytes = joined([bytes.subarray(0, p), inserted, bytes.subarray(p + cut)]);
      }
      const expected = parsed(bytes);
      counts.documents++;
      expect(scanJson(tape, bytes)).toBe(expected !== undefined);
      if (expected === undefined) return;
      counts.valid++;
      const own = valueOf(0);
      // Keys that differ in lone surrogates alone are one to Go and two to JSON.parse.
      if (!hasSurrogateKey(expected)) expect(own).toEqual(expected);
      checkMembers(own);
      if (tape.overflowNode < 0 && isObject(own)) counts.rewritten += checkRewrite(bytes, own);
    });
    console.log(`JSON fuzz: seed ${SEED}, ${SECONDS} s`);
    fc.assert(property, { seed: SEED, numRuns: 2 ** 31, interruptAfterTimeLimit: SECONDS * 1000, endOnFailure: false });
    console.log(
      `JSON fuzz: ${counts.documents} documents, ${counts.valid} of them JSON, ${counts.rewritten} rewritten`,
    );
    expect(Math.min(counts.valid, counts.documents - counts.valid, counts.rewritten)).toBeGreaterThan(0);
  },
  (SECONDS + 60) * 1000,
);

function hasSurrogateKey(found: unknown): boolean {
  if (typeof found !== "object" || found === null) return false;
  return Object.entries(found).some(([name, inner]) => name !== wellFormed(name) || hasSurrogateKey(inner));
}

function checkMembers(own: unknown): void {
  const nodes = findMembers(tape, 0, keySet(...KEYS));
  for (const [i, name] of KEYS.entries()) {
    const has = isObject(own) && Object.hasOwn(own, name);
    expect(nodes[i] >= 0).toBe(has);
    if (has) expect(valueOf(nodes[i])).toEqual(own[name]);
  }
}

/** Both ways to rewrite change the model and nothing else. */
function checkRewrite(bytes: Buffer, own: Readonly<Record<string, unknown>>): number {
  const entries = Object.entries(own).filter(([name]) => name !== "model");
  const expected = Object.fromEntries([...entries, ["model", "new <model>"]]);
  for (const mode of ["splice", "stock"] satisfies RewriteMode[]) {
    const rewritten = Buffer.concat(rewriteModel(bytes, "new <model>", mode));
    expect(scanJson(tape, rewritten)).toBe(true);
    expect(valueOf(0)).toEqual(expected);
  }
  return 1;
}

function isObject(found: unknown): found is Readonly<Record<string, unknown>> {
  return typeof found === "object" && found !== null && !Array.isArray(found);
}
