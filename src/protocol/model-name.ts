import { bytesOf } from "../core/text.ts";

/**
 * Puts the model's name of the request back into an answer that names the rewritten one: each `"model":"<served>"`, or
 * when there is none each `"model": "<served>"`, as the stock EPP does. Bytes that hold neither are given back as they
 * are. Names are compared as they stand, not JSON-escaped; a name split over two chunks is not found.
 */
export function putModelNameBack(body: Uint8Array, served: string, requested: string): Uint8Array {
  for (const colon of [`"model":`, `"model": `]) {
    const hits = positionsOf(body, bytesOf(`${colon}"${served}"`));
    if (hits.length > 0)
      return replaced(body, hits, bytesOf(`${colon}"${served}"`).length, bytesOf(`${colon}"${requested}"`));
  }
  return body;
}

function positionsOf(body: Uint8Array, needle: Uint8Array): number[] {
  const hits: number[] = [];
  let from = body.indexOf(needle[0]);
  while (from >= 0 && from + needle.length <= body.length) {
    let same = 1;
    while (same < needle.length && body[from + same] === needle[same]) same++;
    if (same === needle.length) hits.push(from);
    from = body.indexOf(needle[0], from + (same === needle.length ? same : 1));
  }
  return hits;
}

function replaced(body: Uint8Array, hits: readonly number[], size: number, by: Uint8Array): Uint8Array {
  const out = new Uint8Array(body.length + hits.length * (by.length - size));
  let from = 0;
  let at = 0;
  for (const hit of hits) {
    out.set(body.subarray(from, hit), at);
    at += hit - from;
    out.set(by, at);
    at += by.length;
    from = hit + size;
  }
  out.set(body.subarray(from), at);
  return out;
}
