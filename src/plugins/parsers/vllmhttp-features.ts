import { findMembers, keySet } from "./json-members.ts";
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
  nextOf,
  type JsonTape,
} from "./json-tape.ts";

const FEATURE_KEYS = keySet("mm_hashes", "mm_placeholders");
const RANGE_KEYS = keySet("offset", "length");

/** `features` of a generate request: `{mm_hashes: {modality: string[]}, mm_placeholders: {modality: {offset, length}[]}}`. */
export function isGenerateFeatures(tape: JsonTape, node: number): boolean {
  const [hashes, placeholders] = findMembers(tape, node, FEATURE_KEYS);
  return (
    isKindOrNothing(tape, node, OPEN_OBJECT) &&
    isMapOfArrays(tape, hashes, (element) => isKindOrNothing(tape, element, QUOTE)) &&
    isMapOfArrays(tape, placeholders, (element) => isRange(tape, element))
  );
}

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
