import type { PromptMedia } from "../../core/media.ts";
import { REQUEST_MEDIA_MAX } from "../../core/media.ts";
import { clientHash } from "./client-hash.ts";
import { findMembers, keySet } from "./json-members.ts";
import { readNumber } from "./json-number.ts";
import { readString, stringBytes } from "./json-string.ts";
import {
  NOT_INTEGER,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  countOf,
  firstOf,
  flagsOf,
  isKindOrNothing,
  isNothing,
  isNumber,
  isString,
  nextOf,
  type JsonTape,
} from "./json-tape.ts";

const FEATURE_KEYS = keySet("mm_hashes", "mm_placeholders");
const RANGE_KEYS = keySet("offset", "length");
/** Most characters of a modality's name; longer ones are called `other`. */
const MODALITY_CHARS_MAX = 32;

/** `features` of a generate request: `{mm_hashes: {modality: string[]}, mm_placeholders: {modality: {offset, length}[]}}`. */
export function isGenerateFeatures(tape: JsonTape, node: number): boolean {
  const [hashes, placeholders] = findMembers(tape, node, FEATURE_KEYS);
  return (
    isKindOrNothing(tape, node, OPEN_OBJECT) &&
    isMapOfArrays(tape, hashes, (element) => isKindOrNothing(tape, element, QUOTE)) &&
    isMapOfArrays(tape, placeholders, (element) => isRange(tape, element))
  );
}

/**
 * The media of valid features: of each modality that both maps hold as many as both tell of, by their offset. No more
 * than `REQUEST_MEDIA_MAX` are taken, in the document's order.
 */
export function generateMedia(tape: JsonTape, node: number): readonly PromptMedia[] {
  const [hashes, placeholders] = findMembers(tape, node, FEATURE_KEYS);
  const ranges = arraysOf(tape, placeholders);
  const media: PromptMedia[] = [];
  for (const [modality, array] of arraysOf(tape, hashes)) {
    const other = ranges.get(modality);
    if (other === undefined) continue;
    let hash = firstOf(array);
    let range = firstOf(other);
    const count = Math.min(lengthOf(tape, array), lengthOf(tape, other), REQUEST_MEDIA_MAX - media.length);
    for (let i = count; i > 0; i--) {
      const [offset, length] = findMembers(tape, range, RANGE_KEYS);
      media.push({
        modality: modality.length > MODALITY_CHARS_MAX ? "other" : modality,
        hash: hashText(tape, hash),
        offsetTokens: isNumber(tape, offset) ? readNumber(tape, offset) : 0,
        lengthTokens: isNumber(tape, length) ? readNumber(tape, length) : 0,
      });
      hash = nextOf(tape, hash);
      range = nextOf(tape, range);
    }
  }
  return media.sort((a, b) => a.offsetTokens - b.offsetTokens);
}

function hashText(tape: JsonTape, node: number): string {
  if (!isString(tape, node)) return "";
  const { bytes, start, end } = stringBytes(tape, node);
  return clientHash(bytes, start, end);
}

/** The arrays of a valid map by their key: of one key the last. */
function arraysOf(tape: JsonTape, map: number): ReadonlyMap<string, number> {
  const arrays = new Map<string, number>();
  let key = isNothing(tape, map) ? -1 : firstOf(map);
  for (let i = key < 0 ? 0 : countOf(tape, map); i > 0; i--) {
    arrays.set(readString(tape, key), key + 2);
    key = nextOf(tape, key + 2);
  }
  return arrays;
}

const lengthOf = (tape: JsonTape, array: number): number => (isNothing(tape, array) ? 0 : countOf(tape, array));

function isRange(tape: JsonTape, node: number): boolean {
  if (!isKindOrNothing(tape, node, OPEN_OBJECT)) return false;
  return findMembers(tape, node, RANGE_KEYS).every(
    (value) => isNothing(tape, value) || (isNumber(tape, value) && (flagsOf(tape, value) & NOT_INTEGER) === 0),
  );
}

/** Absent, null, or an object whose values are null or arrays of elements that pass. */
function isMapOfArrays(tape: JsonTape, map: number, passes: (element: number) => boolean): boolean {
  if (isNothing(tape, map)) return true;
  if (!isKindOrNothing(tape, map, OPEN_OBJECT)) return false;
  let key = firstOf(map);
  for (let i = countOf(tape, map); i > 0; i--) {
    const array = key + 2;
    if (!isKindOrNothing(tape, array, OPEN_ARRAY)) return false;
    if (!isNothing(tape, array) && !everyElement(tape, array, passes)) return false;
    key = nextOf(tape, array);
  }
  return true;
}

function everyElement(tape: JsonTape, array: number, passes: (element: number) => boolean): boolean {
  let element = firstOf(array);
  for (let i = countOf(tape, array); i > 0; i--) {
    if (!passes(element)) return false;
    element = nextOf(tape, element);
  }
  return true;
}
