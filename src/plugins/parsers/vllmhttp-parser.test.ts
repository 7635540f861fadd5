import { describe, expect, it } from "vitest";
import { REQUEST_MEDIA_MAX } from "../../core/media.ts";
import { passthroughParser } from "./passthrough-parser.ts";
import { accepted, parseBody, promptIds, promptMedia, refusal } from "./test-support/parse.ts";
import { vllmhttpParser } from "./vllmhttp-parser.ts";

const GENERATE = "/inference/v1/generate";

describe("vllmhttpParser refuses", () => {
  it.each([
    ["x", "invalid character 'x' looking for beginning of value"],
    ["[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"],
    ["null", "invalid generate request: must have non-empty token_ids field"],
    [{}, "invalid generate request: must have non-empty token_ids field"],
    [{ token_ids: [] }, "invalid generate request: must have non-empty token_ids field"],
    [{ token_ids: null }, "invalid generate request: must have non-empty token_ids field"],
    [{ token_ids: [1, -1] }, "invalid generate request: token_ids[1]: invalid value -1"],
    [{ token_ids: [1.5] }, "invalid generate request: token_ids[0]: invalid value 1.5"],
    [{ token_ids: [4294967296] }, "invalid generate request: token_ids[0]: invalid value 4.294967296e+09"],
    [
      { token_ids: ["a"] },
      "invalid generate request: json: cannot unmarshal string into Go struct field .token_ids of type float64",
    ],
    [
      { token_ids: "a" },
      "invalid generate request: json: cannot unmarshal string into Go struct field .token_ids of type []float64",
    ],
    [
      { token_ids: [1], cache_salt: 5 },
      "invalid generate request: json: cannot unmarshal number into Go struct field .cache_salt of type string",
    ],
  ])("%j", (body, message) => {
    expect(refusal(parseBody(vllmhttpParser, GENERATE, body))).toBe(message);
  });

  it.each([
    [[]],
    [{ mm_hashes: [] }],
    [{ mm_hashes: { image: "x" } }],
    [{ mm_hashes: { image: [1] } }],
    [{ mm_placeholders: { image: [{ offset: "1" }] } }],
    [{ mm_placeholders: { image: [{ offset: 1.5 }] } }],
    [{ mm_placeholders: { image: [1] } }],
  ])("the features %j", (features) => {
    const message = refusal(parseBody(vllmhttpParser, GENERATE, { token_ids: [1], features }));
    expect(message).toMatch(/^invalid generate request: json: cannot unmarshal /);
  });

  it("a trailing slash and other paths", () => {
    for (const path of [`${GENERATE}/`, "/v1/completions"]) {
      expect(refusal(parseBody(vllmhttpParser, path, { token_ids: [1] }))).toBe(`unsupported path: ${path}`);
    }
  });
});

describe("vllmhttpParser takes", () => {
  it("token ids, with null for 0", () => {
    const body =
      '{"model":"m","token_ids":[1, 2,3e0,null,4294967295],"sampling_params":{"max_tokens":9},"max_tokens":8,"stream":true}';
    const request = accepted(parseBody(vllmhttpParser, GENERATE, body));
    expect(request).toMatchObject({ model: "m", stream: true, maxOutputTokens: 9, rewritable: true });
    expect(promptIds(request)).toEqual([[1, 2, 3, 0, 4294967295]]);
  });

  it("features of the right shape", () => {
    const features = {
      mm_hashes: { image: ["a"], audio: null },
      mm_placeholders: { image: [{ offset: 1, length: 2 }, null] },
    };
    expect(refusal(parseBody(vllmhttpParser, GENERATE, { token_ids: [1], features }))).toBe("");
    expect(refusal(parseBody(vllmhttpParser, GENERATE, { token_ids: [1], features: null }))).toBe("");
  });

  const mediaOf = (features: unknown) =>
    promptMedia(parseBody(vllmhttpParser, GENERATE, { token_ids: [1, 2, 3], features }))[0];

  it("media that both maps tell of, by their offset", () => {
    const media = mediaOf({
      mm_hashes: { image: ["a", "b", "c"], video: ["v"], audio: ["lost"], nothing: null },
      mm_placeholders: { image: [{ offset: 7, length: 2 }, null], video: [{ offset: 3, length: 1 }], nothing: [{}] },
    });
    expect(media).toEqual([
      { modality: "image", hash: "b", offsetTokens: 0, lengthTokens: 0 },
      { modality: "video", hash: "v", offsetTokens: 3, lengthTokens: 1 },
      { modality: "image", hash: "a", offsetTokens: 7, lengthTokens: 2 },
    ]);
    expect(mediaOf({ mm_hashes: {}, mm_placeholders: { image: [{}] } })).toBeUndefined();
    expect(mediaOf({ mm_hashes: { image: [null] }, mm_placeholders: { image: [{}] } })).toMatchObject([{ hash: "" }]);
  });

  it("of hashes that look like none no more than a hash, of long names none, and no more media than the limit", () => {
    const placed = (hashes: readonly string[], modality = "image") =>
      mediaOf({ mm_hashes: { [modality]: hashes }, mm_placeholders: { [modality]: hashes.map(() => ({})) } })!;
    const [secret, long, fine] = placed(["my secret prompt", "a".repeat(129), "A+/=-_9".repeat(18)]);
    expect(secret.hash).toMatch(/^[0-9a-f]{1,16}$/);
    expect(long.hash).toMatch(/^[0-9a-f]{1,16}$/);
    expect(fine.hash).toBe("A+/=-_9".repeat(18));
    expect(placed(["a"], "m".repeat(32))[0].modality).toBe("m".repeat(32));
    expect(placed(["a"], "m".repeat(33))[0].modality).toBe("other");
    expect(placed(Array<string>(REQUEST_MEDIA_MAX + 1).fill("a"))).toHaveLength(REQUEST_MEDIA_MAX);
  });

  it("a limit that is no whole number as none", () => {
    for (const sampling of [{ max_tokens: 2.5 }, { max_tokens: "3" }, 5, null]) {
      const body = { token_ids: [1], sampling_params: sampling };
      expect(accepted(parseBody(vllmhttpParser, GENERATE, body)).maxOutputTokens).toBe(-1);
    }
  });
});

describe("passthroughParser", () => {
  it("takes anything and knows nothing of it", () => {
    const request = accepted(parseBody(passthroughParser, "/any", "not json"));
    expect(request).toMatchObject({ model: "", stream: false, maxOutputTokens: -1, cacheSalt: "", rewritable: false });
    expect(request.skipResponse).toBe(false);
    expect(request.prompts()).toBeUndefined();
    expect(passthroughParser.claims).toEqual([]);
  });
});
