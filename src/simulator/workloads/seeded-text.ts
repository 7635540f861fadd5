import { createSeededRandom, type SeededRandom } from "../engine/seeded-random.ts";
import { makeWord } from "../engine/word-maker.ts";

/**
 * Text made up from a seed: prose with the word lengths of English, and code-like text. Nothing in it is copied, and
 * all of it is ASCII, so a byte is a character.
 */
export interface SeededText {
  /** Prose of exactly `bytes` bytes, in paragraphs. */
  prose(bytes: number): string;
  /** Code-like text of exactly `bytes` bytes. */
  code(bytes: number): string;
  /** One question of `words` words. */
  question(words: number): string;
}

/** Short words are few and frequent, long ones many and rare. */
const FREQUENT_WORDS = 60;
const WORDS = 3000;
const FREQUENT_SHARE = 0.45;

/** The words of one language, made up from a seed. */
export interface Lexicon {
  readonly seed: number;
  readonly frequent: readonly string[];
  readonly rare: readonly string[];
}

export function createLexicon(seed: number): Lexicon {
  const random = createSeededRandom(seed, "lexicon");
  return {
    seed,
    frequent: Array.from({ length: FREQUENT_WORDS }, () => makeWord(random, 1)),
    rare: Array.from({ length: WORDS }, () => makeWord(random, random.unit() < 0.75 ? 2 : 3)),
  };
}

/** Text of a name of its own, in the words of the lexicon. */
export function createSeededText(lexicon: Lexicon, name: string): SeededText {
  const random = createSeededRandom(lexicon.seed, `text/${name}`);
  const word = (): string => {
    const list = random.unit() < FREQUENT_SHARE ? lexicon.frequent : lexicon.rare;
    // The product of two draws: words early in the list come more often.
    return list[Math.floor(random.unit() * random.unit() * list.length)];
  };
  return {
    prose: (bytes) => fill(bytes, () => paragraph(random, word)),
    code: (bytes) => fill(bytes, () => codeBlock(random, word)),
    question: (words) => `${capital(Array.from({ length: words }, word).join(" "))}?`,
  };
}

const capital = (text: string): string => text[0].toUpperCase() + text.slice(1);

function fill(bytes: number, part: () => string): string {
  const parts: string[] = [];
  for (let length = 0; length < bytes;) {
    const text = part();
    parts.push(text);
    length += text.length;
  }
  return parts.join("").slice(0, bytes);
}

function paragraph(random: SeededRandom, word: () => string): string {
  const sentences = Array.from({ length: random.between(3, 7) }, () => {
    const words = Array.from({ length: random.between(6, 18) }, word);
    if (words.length > 10) words[random.between(3, 6)] += ",";
    if (random.unit() < 0.1) words.push(String(random.between(2, 2030)));
    return `${capital(words.join(" "))}.`;
  });
  return `${sentences.join(" ")}\n\n`;
}

function codeBlock(random: SeededRandom, word: () => string): string {
  const name = (): string => word() + capital(word()) + capital(word());
  const lines = [`function ${name()}(${word()}: ${capital(word())}, ${word()}: number) {`];
  for (let i = random.between(3, 9); i > 0; i--) {
    const kind = random.below(4);
    if (kind === 0) lines.push(`  const ${name()} = ${word()}.${name()}(${word()}, ${random.below(1000)});`);
    else if (kind === 1) lines.push(`  if (${word()} > ${random.below(100)}) {`, `    ${name()}(${word()});`, "  }");
    else if (kind === 2) lines.push(`  // ${capital(Array.from({ length: 12 }, word).join(" "))}.`);
    else lines.push(`  ${word()}.${word()} = "${word()} ${word()}";`);
  }
  lines.push(`  return ${name()};`, "}", "");
  return `${lines.join("\n")}\n`;
}
