import { stringBytes } from "./json-string.ts";
import { OPEN_OBJECT, countOf, endOf, firstOf, flagsOf, kindOf, nextOf, startOf, type JsonTape } from "./json-tape.ts";

/** Names of members to look for, as bytes. */
export type KeySet = readonly Uint8Array[];

export function keySet(...names: readonly string[]): KeySet {
  const encoder = new TextEncoder();
  return names.map((name) => encoder.encode(name));
}

/**
 * Nodes of an object's values, one a key in the order of the set; -1 where there is none or when the node is no object.
 * Keys are compared by their decoded bytes, case counts, and the last duplicate wins.
 */
export function findMembers(tape: JsonTape, object: number, keys: KeySet): Int32Array {
  const found = new Int32Array(keys.length).fill(-1);
  if (object < 0 || kindOf(tape, object) !== OPEN_OBJECT) return found;
  let node = firstOf(object);
  for (let i = countOf(tape, object); i > 0; i--) {
    const key = indexOfKey(tape, node, keys);
    if (key >= 0) found[key] = node + 2;
    node = nextOf(tape, node + 2);
  }
  return found;
}

function indexOfKey(tape: JsonTape, node: number, keys: KeySet): number {
  let bytes = tape.bytes;
  let start = startOf(tape, node) + 1;
  let end = endOf(tape, node) - 1;
  if (flagsOf(tape, node) !== 0) ({ bytes, start, end } = stringBytes(tape, node));
  const length = end - start;
  for (let k = 0; k < keys.length; k++) {
    const key = keys[k];
    if (key.length !== length) continue;
    let i = 0;
    while (i < length && bytes[start + i] === key[i]) i++;
    if (i === length) return k;
  }
  return -1;
}
