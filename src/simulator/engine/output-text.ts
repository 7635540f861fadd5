import { xxh64 } from "../../core/xxh64.ts";
import { MESSAGE_END_ID } from "./chat-template.ts";
import { createSeededRandom, type SeededRandom } from "./seeded-random.ts";
import { TokenBuffer } from "./token-buffer.ts";
import { tokenize } from "./tokenizer.ts";
import { makeWord } from "./word-maker.ts";

/**
 * What the simulated model answers: sentences of made-up words, a function of seed and prompt alone, so that every pod
 * with the same seed answers the same. Each word and sign is one token, and the tokeniser gives exactly the generated
 * ids for the text: a client that sends an answer back as an assistant message continues the cached sequence.
 * (As a plain prompt that holds too, unless the prompt ended in a space.)
 */
export interface GeneratedOutput {
  /** Token ids, at least one. The last one is the end-of-message token when `stopped`. */
  readonly tokens: Uint32Array;
  /** Text of each token; the end-of-message token has none. */
  readonly pieces: readonly string[];
  /** True when the model ended by itself, false when it was cut at `tokensMax`. */
  readonly stopped: boolean;
}

export interface OutputLimits {
  /** Most tokens, at least 1. */
  readonly tokensMax: number;
  /** The length at which the model ends by itself is drawn evenly from this range. */
  readonly naturalTokensMin: number;
  readonly naturalTokensMax: number;
  /** Never end by itself (`ignore_eos`). */
  readonly ignoreEnd: boolean;
}

/** `startsWord`: the prompt ends in a word or sign, so the answer begins with a space. */
export function generateOutput(
  seed: number,
  prompt: Uint32Array,
  startsWord: boolean,
  limits: OutputLimits,
): GeneratedOutput {
  const random = createSeededRandom(seed, `output/${promptKey(prompt)}`);
  const natural = random.between(limits.naturalTokensMin, limits.naturalTokensMax);
  const stopped = !limits.ignoreEnd && natural <= limits.tokensMax;
  const count = stopped ? natural : limits.tokensMax;
  const tokens = new Uint32Array(count);
  const pieces: string[] = [];
  let wordsLeft = 0;
  for (let i = 0; i < count; i++) {
    if (stopped && i === count - 1) {
      tokens[i] = MESSAGE_END_ID;
      pieces.push("");
      continue;
    }
    const sentenceEnds = i > 0 && wordsLeft === 0;
    const piece = sentenceEnds ? FULL_STOP : pickWord(random, i === 0 && !startsWord, i === 0 || wordsLeft < 0);
    // The word after a full stop starts a sentence: -1 says that it is due.
    if (sentenceEnds) wordsLeft = -1;
    else wordsLeft = i === 0 || wordsLeft < 0 ? random.between(5, 16) : wordsLeft - 1;
    tokens[i] = piece.id;
    pieces.push(piece.text);
  }
  return { tokens, pieces, stopped };
}

interface Piece {
  readonly text: string;
  readonly id: number;
}

const asPiece = (text: string): Piece | undefined => {
  const buffer = new TokenBuffer();
  tokenize(text, buffer);
  return buffer.length === 1 ? { text, id: buffer.ids[0] } : undefined;
};

const WORDS = 2048;
/** Forms of each word: bare and capital, after a space, after a space and capital. */
interface Word {
  readonly opening: Piece;
  readonly inner: Piece;
  readonly capital: Piece;
}
const FULL_STOP = asPiece(".")!;
const VOCABULARY = makeVocabulary();

/** Words that are one token in each of their forms. */
function makeVocabulary(): readonly Word[] {
  const random = createSeededRandom(0, "output vocabulary");
  const words: Word[] = [];
  const taken = new Set<string>();
  while (words.length < WORDS) {
    const text = makeWord(random, random.between(1, 3));
    const capitalText = text[0].toUpperCase() + text.slice(1);
    const opening = asPiece(capitalText);
    const inner = asPiece(` ${text}`);
    const capital = asPiece(` ${capitalText}`);
    if (!opening || !inner || !capital || taken.has(text)) continue;
    taken.add(text);
    words.push({ opening, inner, capital });
  }
  return words;
}

function pickWord(random: SeededRandom, opening: boolean, capital: boolean): Piece {
  const word = VOCABULARY[random.below(WORDS)];
  return opening ? word.opening : capital ? word.capital : word.inner;
}

function promptKey(prompt: Uint32Array): string {
  const out = new Uint32Array(2);
  xxh64(new Uint8Array(prompt.buffer, prompt.byteOffset, prompt.byteLength), 0, prompt.byteLength, out, 0);
  return `${out[0]}.${out[1]}`;
}
