import type { SeededRandom } from "./seeded-random.ts";

const ONSETS = "b c d f g h l m n p r s t v w b d f l m n p r s t st tr pl sh ch".split(" ");
const VOWELS = "a e i o u a e i o a e i o ea ai ou".split(" ");
const CODAS = ["", "", "", "n", "r", "s", "t", "l", "nd", "st"];

/** Makes up a lower-case word of `syllables` syllables; it means nothing and sounds like one. */
export function makeWord(random: SeededRandom, syllables: number): string {
  let word = "";
  for (let i = 0; i < syllables; i++) {
    word += ONSETS[random.below(ONSETS.length)] + VOWELS[random.below(VOWELS.length)];
  }
  return word + CODAS[random.below(CODAS.length)];
}
