import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REQUEST_MEDIA_MAX } from "../../core/media.ts";
import { encoded, framed } from "./test-support/grpc-messages.ts";
import { accepted, parseBody, promptIds, promptMedia, promptTexts, refusal } from "./test-support/parse.ts";
import { vllmgrpcParser } from "./vllmgrpc-parser.ts";
import { createVllmGrpcUsageReader } from "./vllmgrpc-usage.ts";

const GENERATE = "/vllm.grpc.engine.VllmEngine/Generate";
const EMBED = "/vllm.grpc.engine.VllmEngine/Embed";
const generate = (value: object) => parseBody(vllmgrpcParser, GENERATE, framed(encoded("GenerateRequest", value)));
const embed = (value: object) => parseBody(vllmgrpcParser, EMBED, framed(encoded("EmbedRequest", value)));

describe("vllmgrpc-parser", () => {
  it("reads text, whether it streams and how much it may give", () => {
    const sampling = { temperature: 0.5, max_tokens: 300, stop: ["a"] };
    const parsed = generate({ request_id: "r", text: "Grüße", sampling_params: sampling, stream: true });
    expect(accepted(parsed)).toMatchObject({ model: "", stream: true, maxOutputTokens: 300, rewritable: false });
    expect(promptTexts(parsed)).toEqual(["Grüße"]);
  });

  it.each([
    ["none", {}, -1],
    ["no limit in them", { sampling_params: { temperature: 1 } }, -1],
    ["a limit of 0", { sampling_params: { max_tokens: 0 } }, 0],
  ])("takes sampling parameters: %s", (_, value, limit) => {
    expect(accepted(generate({ text: "x", ...value })).maxOutputTokens).toBe(limit);
  });

  it.each(["TokenizedInput", "UnpackedInput"])("reads token ids of a %s", (form) => {
    const request = form === "TokenizedInput" ? "GenerateRequest" : "UnpackedRequest";
    const ids = [0, 1, 127, 128, 70_000, 2 ** 32 - 1];
    const bytes = framed(encoded(request, { tokenized: { original_text: "t", input_ids: ids } }));
    expect(promptIds(parseBody(vllmgrpcParser, GENERATE, bytes))).toEqual([ids]);
  });

  it("takes the later of two inputs, and the same one twice as one", () => {
    const text = encoded("GenerateRequest", { text: "late" });
    const ids = (...input_ids: number[]) => encoded("GenerateRequest", { tokenized: { input_ids } });
    const read = (...parts: Buffer[]) => parseBody(vllmgrpcParser, GENERATE, framed(Buffer.concat(parts)));
    expect(promptTexts(read(ids(1, 2), text))).toEqual(["late"]);
    expect(promptIds(read(ids(9), text, ids(1, 2), ids(3)))).toEqual([[1, 2, 3]]);
  });

  it("tells where pictures stand, by their offset, with the client's hashes", () => {
    const mm_placeholders = [
      { offset: 4, length: 1 },
      { offset: 1, length: 2 },
      { offset: 9, length: 3 },
    ];
    const mm_inputs = { mm_placeholders, mm_hashes: ["ab12", "a prompt, not a hash"] };
    const parsed = generate({ tokenized: { input_ids: [1, 2, 3, 4, 5] }, mm_inputs });
    const [media] = promptMedia(parsed);
    expect(media).toEqual([
      { modality: "image", hash: expect.stringMatching(/^[\da-f]{1,16}$/) as string, offsetTokens: 1, lengthTokens: 2 },
      { modality: "image", hash: "ab12", offsetTokens: 4, lengthTokens: 1 },
      { modality: "image", hash: "", offsetTokens: 9, lengthTokens: 3 },
    ]);
    expect(promptMedia(generate({ text: "x", mm_inputs }))).toEqual([undefined]);
  });

  it(`tells of ${REQUEST_MEDIA_MAX} pictures at most`, () => {
    const mm_placeholders = Array.from({ length: REQUEST_MEDIA_MAX + 5 }, (_, i) => ({ offset: i + 1, length: 1 }));
    const [media] = promptMedia(generate({ tokenized: { input_ids: [1] }, mm_inputs: { mm_placeholders } }));
    expect(media).toHaveLength(REQUEST_MEDIA_MAX);
  });

  it("reads token ids to be embedded", () => {
    const parsed = embed({ request_id: "r", tokenized: { original_text: "t", input_ids: [7, 8] } });
    expect(accepted(parsed)).toMatchObject({ model: "", stream: false, maxOutputTokens: -1 });
    expect(promptIds(parsed)).toEqual([[7, 8]]);
  });

  const payload = encoded("GenerateRequest", { text: "abc" });
  it.each([
    ["a body without a frame", Buffer.of(0, 0, 0), "invalid or unsupported gRPC payload"],
    ["a compressed message", framed(payload, 1), "invalid or unsupported gRPC payload"],
    ["a cut message", framed(payload).subarray(0, -1), "invalid or unsupported gRPC payload"],
    ["a length of 2^32 - 1", Buffer.of(0, 255, 255, 255, 255, 1), "invalid or unsupported gRPC payload"],
    ["an empty message", framed(Buffer.of()), "not supported request inputType"],
    [
      "bytes that are no protobuf",
      framed(Buffer.of(0xff)),
      "unmarshaling GenerateRequest: proto: cannot parse invalid wire-format data",
    ],
    [
      "a text that is no UTF-8",
      framed(Buffer.of(0x1a, 1, 0xff)),
      "unmarshaling GenerateRequest: proto: field vllm.grpc.engine.GenerateRequest.text contains invalid UTF-8",
    ],
    [
      "token ids that end within one",
      framed(Buffer.of(0x12, 3, 0x12, 1, 0x80)),
      "unmarshaling GenerateRequest: proto: cannot parse invalid wire-format data",
    ],
  ])("refuses %s", (_, body, message) => {
    expect(refusal(parseBody(vllmgrpcParser, GENERATE, body))).toBe(message);
  });

  it("refuses to embed nothing", () => {
    expect(refusal(embed({ request_id: "r" }))).toBe("missing tokenized input in EmbedRequest");
  });

  it("reads the first message alone, and passes another path with its response unread", () => {
    const body = Buffer.concat([framed(payload), framed(encoded("GenerateRequest", { text: "second" }))]);
    expect(promptTexts(parseBody(vllmgrpcParser, GENERATE, body))).toEqual(["abc"]);
    const other = accepted(parseBody(vllmgrpcParser, `/proxy${GENERATE}`, framed(Buffer.of(0xff))));
    expect(other).toMatchObject({ skipResponse: true, rewritable: false });
  });

  it("answers whatever bytes come, and reads what protobufjs wrote", () => {
    const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.array(uint32), fc.string(), fc.nat(), fc.nat(255), (input_ids, original_text, at, byte) => {
        const value = { tokenized: { input_ids, original_text } };
        expect(promptIds(generate(value))).toEqual([input_ids]);
        const broken = framed(encoded("GenerateRequest", value));
        broken[at % broken.length] = byte;
        const parsed = parseBody(vllmgrpcParser, GENERATE, broken);
        if (parsed.ok) parsed.prompts();
        else expect(parsed.message).not.toBe("");
      }),
    );
  });
});

describe("usage of vLLM's gRPC answers", () => {
  const chunk = (value: object) => framed(encoded("GenerateResponse", { chunk: value }));
  const complete = (value: object) => framed(encoded("GenerateResponse", { complete: value }));
  const embedding = framed(encoded("EmbedResponse", { embedding: [1, 2, -0.5], prompt_tokens: 10, embedding_dim: 3 }));
  const counts = { prompt_tokens: 20, completion_tokens: 15, cached_tokens: 5 };
  const usage = { promptTokens: 20, completionTokens: 15, cachedTokens: 5 };
  const read = (chunks: readonly Uint8Array[], joins = true) => {
    const reader = createVllmGrpcUsageReader(false, joins);
    for (const [i, piece] of chunks.entries()) reader.push(piece, i + 1 === chunks.length);
    return reader.usage();
  };

  it.each([
    ["of a chunk", [chunk({ token_ids: [1, 2, 300], ...counts })], usage],
    ["of the end", [complete({ output_ids: [1, 2], finish_reason: "stop", ...counts })], usage],
    ["of an embedding", [embedding], { promptTokens: 10, completionTokens: 0, cachedTokens: -1 }],
    ["of nothing in a chunk without counts", [chunk({ token_ids: [4] })], undefined],
    ["of nothing in an empty message", [framed(Buffer.of())], undefined],
    ["of the last message that counts", [chunk({ prompt_tokens: 1 }), complete(counts), chunk({})], usage],
    ["of messages in one piece", [Buffer.concat([chunk({ prompt_tokens: 1 }), complete(counts)])], usage],
    ["not of a compressed message", [framed(encoded("GenerateResponse", { complete: counts }), 1)], undefined],
    ["behind a compressed message", [Buffer.concat([framed(Buffer.of(1, 2), 1), complete(counts)])], usage],
  ] as const)("is that %s", (_, chunks, expected) => {
    expect(read(chunks)).toEqual(expected);
  });

  it("reads the first message of each piece alone when asked to do as the stock EPP does", () => {
    const whole = Buffer.concat([complete(counts), chunk({ prompt_tokens: 1 })]);
    expect(read([whole], false)).toEqual(usage);
    expect(read([whole.subarray(0, 8), whole.subarray(8)], false)).toBeUndefined();
  });

  it("does not depend on where the body is cut", () => {
    const body = Buffer.concat([
      chunk({ token_ids: [1, 2, 3], prompt_tokens: 20 }),
      framed(Buffer.of(1), 1),
      complete(counts),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(body.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), body.length];
        expect(read(at.slice(1).map((end, i) => body.subarray(at[i], end)))).toEqual(usage);
      }),
    );
  });

  it("keeps nothing of a message that never ends", () => {
    const reader = createVllmGrpcUsageReader(false);
    // A GenerateComplete whose output ids are 4 GB long.
    reader.push(
      Buffer.of(0, 255, 255, 255, 255, 0x12, 0xf0, 255, 255, 255, 0x0f, 0x0a, 0xe0, 255, 255, 255, 0x0f),
      false,
    );
    const piece = new Uint8Array(1 << 20);
    for (let i = 0; i < 64; i++) reader.push(piece, false);
    expect(reader.usage()).toBeUndefined();
  });
});
