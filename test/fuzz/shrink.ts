import type { Sequence } from "./corpus.ts";

/** Tries of `shrunk`; each serves one stream. */
const TRIES_MAX = 3000;

/** A shorter stream that still fails: messages are left out, then bytes of each, by ever smaller spans. */
export function shrunk(messages: Sequence, fails: (messages: Sequence) => boolean): Sequence {
  let left = TRIES_MAX;
  const stillFails = (tried: Sequence): boolean => tried.length > 0 && left-- > 0 && fails(tried);
  let least = messages;
  for (let at = least.length - 1; at >= 0; at--) {
    const without = least.toSpliced(at, 1);
    if (stillFails(without)) least = without;
  }
  for (let at = 0; at < least.length; at++) {
    for (let span = least[at].length >> 1; span > 0; span >>= 1) {
      for (let from = 0; from < least[at].length;) {
        const bytes = least[at];
        const cut = Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + span)]);
        const tried = least.with(at, cut);
        if (stillFails(tried)) least = tried;
        else from += span;
      }
    }
  }
  return least;
}
