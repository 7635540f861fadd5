import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLexicon, createSeededText } from "../workloads/seeded-text.ts";
import { MESSAGE_END_ID, MESSAGE_START_ID, tokenizeChat, tokenizePrompt } from "./chat-template.ts";
import { FIRST_PIECE_ID } from "./tokenizer.ts";

const tokens = (text: string): number[] => [...tokenizePrompt(text).view()];
const pieces = (...texts: string[]): number[] => texts.flatMap((text) => tokens(text));

describe("the tokeniser", () => {
  it.each([
    ["a bee", ["a", " bee"]],
    ["12345", ["123", "45"]],
    ["x();\n\n y", ["x", "();", "\n\n", " y"]],
    ["    if", ["   ", " if"]],
    ["a\tb", ["a", "\t", "b"]],
    ["été", ["é", "t", "é"]],
    ["🙂🙂", ["🙂", "🙂"]],
  ])("cuts %j into pieces", (text, parts) => {
    expect(parts.map((part) => tokens(part).length)).toEqual(parts.map(() => 1));
    expect(tokens(text)).toEqual(pieces(...parts));
  });

  it("cuts a long word into several pieces, the same wherever it stands", () => {
    const word = "extraordinarilyuncharacteristically";
    expect(tokens(word).length).toBeGreaterThan(3);
    expect(tokens(`(${word})`)).toEqual(pieces("(", word, ")"));
  });

  it("makes about 4.5 bytes a token of prose, and less of code: not the picker's 4", () => {
    const text = createSeededText(createLexicon(1), "ratio");
    expect(200_000 / tokens(text.prose(200_000)).length).toBeCloseTo(4.6, 0);
    expect(200_000 / tokens(text.code(200_000)).length).toBeGreaterThan(2.8);
    expect(200_000 / tokens(text.code(200_000)).length).toBeLessThan(3.6);
  });

  it("takes any text, gives a special id never, and at most one token a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const ids = tokens(text);
        expect(ids.length).toBeLessThanOrEqual(text.length);
        expect(ids.every((id) => id >= FIRST_PIECE_ID)).toBe(true);
        expect(tokens(text)).toEqual(ids);
      }),
    );
  });

  it("gives a word and a sign the same ids apart as together", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z ]{0,30}[a-z]$/), fc.stringMatching(/^[.,;]{1,5}[a-z ]{0,20}$/), (a, b) => {
        expect(tokens(a + b)).toEqual(pieces(a, b));
      }),
    );
  });
});

describe("the chat template", () => {
  const user = { role: "user", content: "Hello there" };

  it("puts each message between its special tokens and opens the answer", () => {
    expect([...tokenizeChat([user]).view()]).toEqual([
      MESSAGE_START_ID,
      ...pieces("user", "\n", "Hello", " there"),
      MESSAGE_END_ID,
      ...pieces("\n"),
      MESSAGE_START_ID,
      ...pieces("assistant", "\n"),
    ]);
  });

  it("makes the prompt of a shorter history, with its answer, the beginning of a longer one's", () => {
    const message = fc.record({ role: fc.constantFrom("user", "system"), content: fc.string({ unit: "binary" }) });
    fc.assert(
      fc.property(fc.array(message), fc.string({ unit: "binary" }), fc.array(message), (before, answer, after) => {
        const short = [...tokenizeChat(before).view(), ...tokens(answer), MESSAGE_END_ID];
        const long = [...tokenizeChat([...before, { role: "assistant", content: answer }, ...after]).view()];
        expect(long.slice(0, short.length)).toEqual(short);
      }),
    );
  });
});
