import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encoderCacheKey } from "../../core/data-key.ts";
import type { MediaItem } from "../../core/media.ts";
import { REQUEST_MEDIA_MAX } from "../../core/media.ts";
import type { RequestState } from "../../core/request-state.ts";
import { endpoint } from "../../core/test-support/test-plan.ts";
import { mmEmbeddingsCacheScorer } from "../scorers/mm-embeddings-cache-scorer.ts";
import { make, poolOf, requestOf, resultOf, scoresOf, targetOf } from "../test-support/fixture.ts";
import { mmEmbeddingsCacheProducer } from "./mm-embeddings-cache-producer.ts";

const key = encoderCacheKey("mm-embeddings-cache-producer");

const media = (...hashes: readonly string[]): readonly MediaItem[] =>
  hashes.map((hash, i) => ({ modality: "image", hash, prompt: 0, offsetTokens: i, lengthTokens: 1 }));

/** A pool of pods with producer and scorer; `send` plays a request up to its pick of the rows, and gives the scores. */
function scene(pods: number, params: object = {}, prefixIndexBytesMax = 1 << 20) {
  const endpoints = poolOf(Array.from({ length: pods }, () => ({})));
  const plugin = make(mmEmbeddingsCacheProducer, params, endpoints, { prefixIndexBytesMax });
  const scorer = make(mmEmbeddingsCacheScorer, {}, endpoints);
  const produced = (hashes: readonly string[] | undefined): RequestState => {
    const request = requestOf(endpoints, hashes ? { inputTokens: 9, media: media(...hashes) } : { inputTokens: 9 });
    expect(plugin.produce(request)).toBeUndefined();
    return request;
  };
  const pick = (request: RequestState, ...rows: readonly number[]) => {
    const picks = rows.map((row) => targetOf(request, row));
    plugin.preRequest(request, { ...resultOf(picks.slice(0, 1)), picks });
  };
  const send = (hashes: readonly string[], ...rows: readonly number[]): number[] => {
    const request = produced(hashes);
    if (rows.length > 0) pick(request, ...rows);
    return scoresOf(scorer, request);
  };
  return { endpoints, plugin, scorer, produced, pick, send };
}

describe("mm-embeddings-cache", () => {
  it("scores the share of the request's media that went to an endpoint before", () => {
    const { send } = scene(3);
    expect(send(["a", "b"], 0)).toEqual([0, 0, 0]);
    expect(send(["b", "c"], 2)).toEqual([0.5, 0, 0]);
    expect(send(["a", "b", "c", "d"])).toEqual([0.5, 0, 0.5]);
  });

  it("looks for each medium by itself, not for a beginning", () => {
    const { send } = scene(2);
    send(["b"], 1);
    expect(send(["new", "b", "other"])).toEqual([0, 1 / 3]);
  });

  it("counts a medium that comes twice once, and none without a hash", () => {
    const { send, produced } = scene(2);
    send(["a", "a"], 0);
    expect(produced(["a", "", "a", "b"]).get(key)).toEqual({ matchedSize: Int32Array.of(1, 0), totalSize: 2 });
  });

  it("says nothing of a request without media, which scores 0", () => {
    const { produced, scorer } = scene(2);
    for (const hashes of [undefined, [], [""]]) {
      const request = produced(hashes);
      expect(request.get(key)).toBeUndefined();
      expect(scoresOf(scorer, request)).toEqual([0, 0]);
    }
  });

  it("scores 0 when the data say that there are no media", () => {
    const { produced, scorer } = scene(1);
    const request = produced(undefined);
    request.put(key, { matchedSize: Int32Array.of(3), totalSize: 0 });
    expect(scoresOf(scorer, request)).toEqual([0]);
  });

  it("notes all picks of the primary profile, the ones to fall back on too, and none of another", () => {
    const { plugin, produced, send } = scene(4);
    const request = produced(["a"]);
    const picks = [targetOf(request, 0), targetOf(request, 1), targetOf(request, 2, "prefill")];
    plugin.preRequest(request, { primary: "default", targets: [picks[0], picks[2]], picks });
    expect(send(["a"])).toEqual([1, 1, 0, 0]);
  });

  it("notes the endpoint that really served, until the answer begins", () => {
    const { plugin, produced, pick, send } = scene(3);
    const request = produced(["a"]);
    pick(request, 0);
    plugin.moved(request, targetOf(request, 0), targetOf(request, 1));
    plugin.responseStarted(request);
    plugin.moved(request, targetOf(request, 1), targetOf(request, 2));
    expect(send(["a"])).toEqual([1, 1, 0]);
  });

  it("forgets an endpoint that is gone, also when its slot is used again", () => {
    const { endpoints, plugin, send } = scene(2);
    send(["a"], 0);
    plugin.endpointRemoved(0);
    endpoints.remove(0);
    expect(endpoints.add(endpoint("new"))).toBe(0);
    expect(send(["a"])).toEqual([0, 0]);
  });

  it.each([
    [{}, 2048],
    [{ cacheSizeInMBPerServer: 10 }, 5],
    [{ cacheSizeInMBPerServer: 7 }, 3],
    [{ cacheSizeInMBPerServer: 1 }, 1],
    [{ cacheSizeInMBPerServer: -4 }, 2048],
    [{ cacheSizeInMBPerServer: 0 }, 2048],
  ])("remembers with %j %i media of an endpoint", (params, places) => {
    const { plugin, send } = scene(1, params);
    for (let i = 0; i < 2100; i += 100)
      send(
        Array.from({ length: 100 }, (_, j) => `${i + j}`),
        0,
      );
    expect(plugin.gauges().encoder_cache_items).toBe(places);
    expect(send(["2099"])).toEqual([1]);
    expect(send([`${2099 - places}`])).toEqual([0]);
  });

  it("holds over all endpoints no more than its bytes", () => {
    const { plugin, send } = scene(2, {}, 45 * 10);
    for (let i = 0; i < 30; i++) send([`${i}`], i % 2);
    expect(plugin.gauges()).toEqual({ encoder_cache_items: 10, encoder_cache_limit_evictions: 20 });
  });

  it("takes a request of the most media over 1,000 endpoints", () => {
    const { send } = scene(1000);
    const hashes = Array.from({ length: REQUEST_MEDIA_MAX }, (_, i) => `${i}`);
    send(hashes, 999);
    expect(send(hashes).indexOf(1)).toBe(999);
  });

  it("equals a model of one LRU of hashes for each endpoint, whatever is sent", () => {
    const hash = fc.constantFrom("", "a", "b", "c", "d", "e", "f");
    const sent = fc.record({ hashes: fc.array(hash, { maxLength: 6 }), row: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (requests, places) => {
        const { send } = scene(3, { cacheSizeInMBPerServer: places * 2 });
        const lrus: string[][] = [[], [], []];
        for (const { hashes, row } of requests) {
          const items = [...new Set(hashes)].filter((one) => one !== "");
          const expected = lrus.map((lru) =>
            items.length === 0 ? 0 : items.filter((one) => lru.includes(one)).length / items.length,
          );
          const scores = send(hashes, row);
          expect(scores).toEqual(expected);
          for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
          for (const one of items) {
            lrus[row] = [...lrus[row].filter((other) => other !== one), one].slice(-places);
          }
        }
      }),
    );
  });
});
