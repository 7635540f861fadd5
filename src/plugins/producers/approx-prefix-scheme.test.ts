import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockIds } from "../../core/block-ids.ts";
import { prefixMatchKey } from "../../core/data-key.ts";
import type { PrefixMatch } from "../../core/data-key.ts";
import { xxh64, xxh64Text } from "../../core/xxh64.ts";
import type { Signals } from "../test-support/fixture.ts";
import { make, poolOf, requestOf, resultOf, targetOf } from "../test-support/fixture.ts";
import { approxPrefixCacheProducer } from "./approx-prefix-cache-producer.ts";

const key = prefixMatchKey("approx-prefix-cache-producer");

/** A text as estimate tokens: 4 characters a token, the last one filled up. */
function promptOf(text: string) {
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 4);
  bytes.set(Buffer.from(text, "latin1"));
  return { bytes, paddingBytes: bytes.length - text.length };
}

/** A producer of scheme v0.7 over a pool, played one request after another. */
function scene(pods: readonly (Signals | null)[], params: object = {}) {
  const endpoints = poolOf(pods);
  const plugin = make(approxPrefixCacheProducer, { scheme: "v0.7", ...params }, endpoints);
  const send = (texts: readonly string[], row?: number, model = "m", cacheSalt = ""): PrefixMatch => {
    const facts = blockIds(texts.map(promptOf), plugin.blockSizesTokens());
    const request = requestOf(endpoints, { ...facts, model, cacheSalt });
    expect(plugin.produce(request)).toBeUndefined();
    if (row !== undefined) plugin.preRequest(request, resultOf([targetOf(request, row)]));
    return request.get(key)!;
  };
  return { endpoints, plugin, send };
}

const hexOf = ([lo, hi]: Uint32Array): string => ((BigInt(hi) << 32n) | BigInt(lo)).toString(16).padStart(16, "0");

/** The hashes that GIE 1.2 to 1.5 made of a prompt's characters: h = XXH64(block ++ LE64(the one before)). */
function oldHashes(text: string, blockChars: number, blocksMax: number, model: string, salt = ""): string[] {
  const hashes: string[] = [];
  let previous = xxh64Text(model + salt);
  for (let at = 0; at + blockChars <= text.length && hashes.length < blocksMax; at += blockChars) {
    const bytes = Buffer.alloc(blockChars + 8);
    bytes.write(text.slice(at, at + blockChars), "latin1");
    bytes.writeUInt32LE(previous[0], blockChars);
    bytes.writeUInt32LE(previous[1], blockChars + 4);
    previous = new Uint32Array(2);
    xxh64(bytes, 0, bytes.length, previous, 0);
    hashes.push(hexOf(previous));
  }
  return hashes;
}

describe("scheme v0.7", () => {
  it("is held against hashes that give the recorded vectors of that era", () => {
    expect(oldHashes("abcdefgh", 4, 256, "m")).toEqual(["bc35fa6a95e96a05", "53f5ee97c6751efd"]);
  });

  it("cuts blocks below 64 tokens, the server's first", () => {
    expect(scene([{}]).plugin.blockSizesTokens()).toEqual([16]);
    expect(scene([{}], { blockSizeTokens: 1 }).plugin.blockSizesTokens()).toEqual([1]);
    expect(scene([{ blockSizeTokens: 8 }], { blockSizeTokens: 1 }).plugin.blockSizesTokens()).toEqual([8]);
    expect(scene([{}], { blockSizeTokens: -3 }).plugin.blockSizesTokens()).toEqual([1]);
  });

  it("counts whole blocks alone: a prompt shorter than one has none", () => {
    const { send } = scene([{}]);
    expect(send(["x".repeat(16 * 4 - 1)]).totalBlocks).toBe(0);
    expect(send(["x".repeat(16 * 4)]).totalBlocks).toBe(1);
    expect(send(["x".repeat(16 * 4 * 2 - 4), "y".repeat(16 * 4)]).totalBlocks).toBe(2);
  });

  it.each([
    [{}, 256],
    [{ maxPrefixBlocksToMatch: 2048 }, 300],
    [{ maxPrefixBlocksToMatch: 0 }, 300],
    [{ maxPrefixTokensToMatch: 16 * 7 + 5 }, 7],
    [{ maxPrefixTokensToMatch: 0, maxPrefixBlocksToMatch: 9 }, 9],
  ])("with %j matches %i of 300 blocks", (params, blocks) => {
    expect(scene([{}], params).send(["x".repeat(300 * 64)]).totalBlocks).toBe(blocks);
  });

  it("is off unless asked for, and nothing that the stock release knows", () => {
    const head = make(approxPrefixCacheProducer, {}, poolOf([{}]));
    expect(head.blockSizesTokens()).toEqual([64]);
    expect(approxPrefixCacheProducer.params.parse({})).toMatchObject({ scheme: "head" });
    expect(approxPrefixCacheProducer.params.safeParse({ scheme: "v0.8" }).success).toBe(false);
    for (const scheme of ["head", "v0.7"]) {
      expect(approxPrefixCacheProducer.params.safeParse({ scheme }).success).toBe(true);
      expect(approxPrefixCacheProducer.stockParams!.safeParse({ scheme }).success).toBe(false);
    }
    expect(approxPrefixCacheProducer.stockParams!.safeParse({ maxPrefixBlocksToMatch: 5 }).success).toBe(true);
    expect(approxPrefixCacheProducer.warnings!({ scheme: "v0.7", blockSizeTokens: 8 })).toEqual([]);
  });

  it("matches as an index over the old hashes does, whatever is sent", () => {
    // Few words over whole tokens, so that prompts share beginnings of all lengths; a single prompt may have any length.
    const text = fc.array(fc.constantFrom("aaaa", "bbbb"), { maxLength: 24 }).map((words) => words.join(""));
    const anyLength = fc.tuple(text, fc.constantFrom("", "a", "bb", "aaa")).map(([whole, rest]) => whole + rest);
    const sent = fc.record({
      texts: fc.oneof(fc.tuple(anyLength), fc.array(text, { minLength: 2, maxLength: 3 })),
      row: fc.nat(2),
      model: fc.constantFrom("m", "n"),
      salt: fc.constantFrom("", "s"),
    });
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (requests, blockSizeTokens) => {
        const { send } = scene([{}, {}, {}], { blockSizeTokens, maxPrefixBlocksToMatch: 4 });
        const holders = new Map<string, Set<number>>();
        for (const { texts, row, model, salt } of requests) {
          const hashes = texts.map((prompt) => oldHashes(prompt, 4 * blockSizeTokens, 4, model, salt));
          const counts = [0, 0, 0];
          for (const prompt of hashes) {
            for (const hash of prompt) {
              const held = holders.get(hash);
              if (!held) break;
              for (const holder of held) counts[holder]++;
            }
          }
          const match = send(texts, row, model, salt);
          expect(match.totalBlocks).toBe(hashes.flat().length);
          expect([...match.matchBlocks]).toEqual(counts);
          for (const hash of hashes.flat()) holders.set(hash, (holders.get(hash) ?? new Set()).add(row));
        }
      }),
    );
  });
});
