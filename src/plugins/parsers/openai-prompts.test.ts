import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_MEDIA, REQUEST_MEDIA_MAX } from "../../core/media.ts";
import { xxh64 } from "../../core/xxh64.ts";
import { openaiParser } from "./openai-parser.ts";
import { MEDIA_TOKENS_MAX } from "./prompt-writer.ts";
import { accepted, parseBody, promptIds, promptMedia, promptTexts } from "./test-support/parse.ts";

const COMPLETIONS = "/v1/completions";
const CHAT = "/v1/chat/completions";
/** A PNG of 8 x 6 pixels. */
const PNG =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAIAAABxZ0isAAAAEklEQVR4nGP4z8CAFTEMLQkAKaEv0TqjSaAAAAAASUVORK5CYII=";

function chatText(...messages: readonly unknown[]): string {
  return promptTexts(parseBody(openaiParser, CHAT, { model: "m", messages }))[0];
}

/** Low half of XXH64 of a text: the pseudo token of a medium. */
function mediaToken(content: string): number {
  const hash = new Uint32Array(2);
  const bytes = Buffer.from(content);
  xxh64(bytes, 0, bytes.length, hash, 0);
  return hash[0];
}

/** XXH64 of a text as a number in hex. */
function hexOfText(content: string): string {
  const hash = new Uint32Array(2);
  const bytes = Buffer.from(content);
  xxh64(bytes, 0, bytes.length, hash, 0);
  return ((BigInt(hash[1]) << 32n) | BigInt(hash[0])).toString(16);
}

describe("a prompt", () => {
  it("tells how many zeros fill up its last token", () => {
    const paddings = ["a", "ab", "abc", "abcd", "日"].map((prompt) => {
      const parsed = accepted(parseBody(openaiParser, COMPLETIONS, { model: "m", prompt }));
      return parsed.prompts()!.map(({ bytes, paddingBytes = 0 }) => [bytes.length, paddingBytes]);
    });
    expect(paddings).toEqual([[[4, 3]], [[4, 2]], [[4, 1]], [[4, 0]], [[4, 1]]]);
  });
});

describe("prompts of chat", () => {
  it.each([
    [
      [
        { role: "system", content: "You are helpful." },
        { role: "user", content: "Hi" },
      ],
      "systemYou are helpful.userHi",
    ],
    [[{ role: "user", content: 'a "quoted" \n\t é 日本 🙂 \\ /' }], 'usera "quoted" \n\t é 日本 🙂 \\ /'],
    [
      [
        { role: "assistant", content: null, tool_calls: [{ id: "x" }] },
        { role: "tool", content: "ok" },
      ],
      "assistanttoolok",
    ],
    [[null, {}, { content: "x" }], "x"],
    [
      [
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
            { type: "other", text: "c" },
          ],
        },
      ],
      "userab",
    ],
    [[{ role: "user", content: [{ type: "text" }, null, {}] }], "user"],
  ])("%j", (messages, text) => {
    expect(chatText(...messages)).toBe(text);
  });

  it("begin with the tools as Go marshals them", () => {
    const tools = [{ type: "function", function: { name: "s<web>", n: 1e21, a: { z: 1, b: [1.5, null] } } }];
    const body = { messages: [{ role: "user", content: "x" }], tools };
    expect(promptTexts(parseBody(openaiParser, CHAT, body))).toEqual([
      '[{"function":{"a":{"b":[1.5,null],"z":1},"n":1e+21,"name":"s\\u003cweb\\u003e"},"type":"function"}]userx',
    ]);
    expect(promptTexts(parseBody(openaiParser, CHAT, { ...body, tools: [] }))).toEqual(["userx"]);
    expect(promptTexts(parseBody(openaiParser, CHAT, { ...body, tools: null }))).toEqual(["userx"]);
  });

  it("are padded with zeros to whole tokens", () => {
    for (let length = 0; length < 9; length++) {
      const [prompt] = accepted(
        parseBody(openaiParser, CHAT, { messages: [{ content: "x".repeat(length) }] }),
      ).prompts()!;
      expect(Buffer.from(prompt.bytes)).toEqual(Buffer.alloc(4 * Math.ceil(length / 4), 0).fill("x", 0, length));
    }
  });

  it("take lone surrogates and bad UTF-8 as U+FFFD", () => {
    const body = Buffer.from('{"messages":[{"content":"\\ud800a\\udc00\xe2\x82b\xff"}]}', "latin1");
    expect(promptTexts(parseBody(openaiParser, CHAT, body))).toEqual(["\ufffda\ufffd\ufffd\ufffdb\ufffd"]);
  });

  it("stay readable after another body was parsed", () => {
    const first = accepted(parseBody(openaiParser, CHAT, { messages: [{ role: "user", content: "first" }] }));
    const second = accepted(parseBody(openaiParser, COMPLETIONS, { prompt: "second" }));
    expect(promptTexts(first)).toEqual(["userfirst"]);
    expect(promptTexts(second)).toEqual(["second"]);
    expect(promptTexts(first)).toEqual(["userfirst"]);
  });
});

describe("media in chat", () => {
  const media = (...content: readonly unknown[]) =>
    promptIds(parseBody(openaiParser, CHAT, { messages: [{ role: "user", content }] }))[0];

  it("begin at a token's boundary and repeat their content's hash", () => {
    const url = "http://x/\u00e9.png";
    const ids = media(
      { type: "text", text: "a" },
      { type: "image_url", image_url: { url } },
      { type: "text", text: "b" },
    );
    // "user", "a" and its padding, 640 x 360 / 1024 tokens, "b" and its padding.
    expect(ids).toEqual([0x72657375, 0x61, ...Array<number>(225).fill(mediaToken(url)), 0x62]);
  });

  it("take a picture's size from its data", () => {
    expect(media({ type: "image_url", image_url: { url: PNG } })).toEqual([0x72657375, mediaToken(PNG)]);
  });

  it("take an absent URL as empty", () => {
    const empty = mediaToken("");
    expect(media({ type: "image_url" })).toEqual([0x72657375, ...Array<number>(225).fill(empty)]);
    expect(media({ type: "input_audio", input_audio: null })).toEqual([0x72657375, empty]);
  });

  it("count a sound by the length of its data and format", () => {
    const ids = media({ type: "input_audio", input_audio: { data: "AAAAAAAAAA", format: "wav" } });
    expect(ids).toEqual([0x72657375, ...Array<number>(4).fill(mediaToken("AAAAAAAAAAwav"))]);
  });

  it("count a video by the request's headers", () => {
    const body = { messages: [{ content: [{ type: "video_url", video_url: { url: "v" } }] }] };
    const count = (headers: Record<string, string>) =>
      promptIds(parseBody(openaiParser, CHAT, body, headers))[0].length;
    expect(count({})).toBe(20 * 225);
    expect(count({ "x-llm-d-video-duration-seconds": "2.5" })).toBe(5 * 225);
    expect(count({ "x-llm-d-video-resolution": "64X32" })).toBe(20 * 2);
    expect(count({ "x-llm-d-video-resolution": "64x", "x-llm-d-video-duration-seconds": "-1" })).toBe(20 * 225);
    expect(count({ "x-llm-d-video-duration-seconds": "0.1" })).toBe(1);
  });

  it("count as the plan's settings say", () => {
    const content = [
      { type: "image_url", image_url: { url: "u" } },
      { type: "video_url", video_url: { url: "v" } },
    ];
    const settings = { ...DEFAULT_MEDIA, image: { mode: "static", tokens: 7 }, videoTokensMax: 11 } as const;
    const request = parseBody(openaiParser, CHAT, { messages: [{ role: "user", content }] }, {}, settings);
    expect(promptIds(request)[0]).toEqual([
      0x72657375,
      ...Array<number>(7).fill(mediaToken("u")),
      ...Array<number>(11).fill(mediaToken("v")),
    ]);
  });

  it("never write more tokens than a prompt's media may have", () => {
    const body = {
      messages: [
        {
          content: [
            { type: "video_url", video_url: { url: "v" } },
            { type: "text", text: "end" },
          ],
        },
      ],
    };
    const ids = promptIds(parseBody(openaiParser, CHAT, body, { "x-llm-d-video-duration-seconds": "1e300" }))[0];
    expect(ids.length).toBe(MEDIA_TOKENS_MAX + 1);
  });
});

describe("what is told of media in chat", () => {
  const told = (...content: readonly unknown[]) =>
    promptMedia(parseBody(openaiParser, CHAT, { messages: [{ role: "user", content }] }))[0];
  const image = (url: string) => ({ type: "image_url", image_url: { url } });

  it("is their kind, hash and place", () => {
    const media = told(
      { type: "text", text: "a" },
      image("http://x/1.png"),
      { type: "video_url", video_url: { url: "v" } },
      { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
      image(PNG),
    );
    expect(media).toEqual([
      { modality: "image", hash: hexOfText("http://x/1.png"), offsetTokens: 2, lengthTokens: 225 },
      { modality: "video", hash: hexOfText("v"), offsetTokens: 227, lengthTokens: 4500 },
      { modality: "audio", hash: hexOfText("AAAAwav"), offsetTokens: 4727, lengthTokens: 2 },
      { modality: "image", hash: hexOfText(PNG), offsetTokens: 4729, lengthTokens: 1 },
    ]);
  });

  it("is a hash without leading zeros, as Go prints it", () => {
    const short = Array.from({ length: 600 }, (_, i) => hexOfText(`${i}`)).findIndex((hex) => hex.length < 16);
    expect(short).toBeGreaterThanOrEqual(0);
    expect(told(image(`${short}`))?.[0].hash).toBe(hexOfText(`${short}`));
  });

  it("is nothing of text alone", () => {
    expect(told({ type: "text", text: "a" })).toBeUndefined();
    expect(promptMedia(parseBody(openaiParser, COMPLETIONS, { prompt: ["a", "b"] }))).toEqual([undefined, undefined]);
  });

  it("is no more than the limit; the tokens of the others are there", () => {
    const many = Array.from({ length: REQUEST_MEDIA_MAX + 5 }, () => ({ type: "input_audio" }));
    const request = parseBody(openaiParser, CHAT, { messages: [{ content: many }] });
    expect(promptMedia(request)[0]).toHaveLength(REQUEST_MEDIA_MAX);
    expect(promptIds(request)[0]).toHaveLength(REQUEST_MEDIA_MAX + 5);
  });

  it("holds of any content: each run of tokens is where it is told to be", () => {
    const part = fc.oneof(
      fc.record({ type: fc.constant("text"), text: fc.string({ maxLength: 9 }) }),
      fc.string({ maxLength: 9 }).map(image),
      fc.string({ maxLength: 40 }).map((data) => ({ type: "input_audio", input_audio: { data } })),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (content) => {
        const request = parseBody(openaiParser, CHAT, { messages: [{ role: "user", content }] });
        const [ids] = promptIds(request);
        let end = 0;
        for (const { hash, offsetTokens, lengthTokens } of promptMedia(request)[0] ?? []) {
          expect(offsetTokens).toBeGreaterThanOrEqual(end);
          end = offsetTokens + lengthTokens;
          const low = Number(BigInt(`0x${hash}`) & 0xffff_ffffn);
          expect(ids.slice(offsetTokens, end)).toEqual(Array<number>(lengthTokens).fill(low));
        }
        expect(ids.length).toBeGreaterThanOrEqual(end);
      }),
    );
  });
});

describe("prompts of the other APIs", () => {
  it.each([
    [COMPLETIONS, { prompt: "Hi é" }, ["Hi é"]],
    [COMPLETIONS, { prompt: ["one", "", "three"] }, ["one", "", "three"]],
    [COMPLETIONS, { prompt: ["one"] }, ["one"]],
    ["/v1/embeddings", { input: "a<b" }, ['{"Raw":"a\\u003cb","Strings":null,"TokenIDs":null}']],
    ["/v1/embeddings", { input: ["a", "b"] }, ['{"Raw":"","Strings":["a","b"],"TokenIDs":null}']],
    ["/v1/responses", { input: "x" }, ['[{"input":"x"}]']],
    [
      "/v1/responses",
      { tools: [{ b: 1, a: 2 }], input: [{ role: "user", content: "x" }], instructions: "Be brief" },
      ['[{"instructions":"Be brief"},{"tools":[{"a":2,"b":1}]},{"input":[{"content":"x","role":"user"}]}]'],
    ],
    ["/v1/responses", { input: 5, instructions: null, tools: null }, ['[{"input":5}]']],
    [
      "/v1/conversations",
      {
        items: [
          { type: "message", role: "user", content: [{ b: 1, a: "<" }], id: "x" },
          { role: "", content: "" },
          null,
        ],
      },
      ['[{"type":"message","role":"user","content":[{"a":"\\u003c","b":1}]},{"content":""},{}]'],
    ],
  ])("on %s of %j", (path, body, texts) => {
    expect(promptTexts(parseBody(openaiParser, path, body))).toEqual(texts);
  });

  it("pass token ids through", () => {
    expect(promptIds(parseBody(openaiParser, COMPLETIONS, { prompt: [1, 4294967295, 0] }))).toEqual([
      [1, 4294967295, 0],
    ]);
    expect(promptIds(parseBody(openaiParser, COMPLETIONS, '{"prompt":[1e2, 2.0 ,-0,00]}'.replace("00", "12")))).toEqual(
      [[100, 2, 0, 12]],
    );
    expect(promptIds(parseBody(openaiParser, "/v1/embeddings", { input: [7, 8] }))).toEqual([[7, 8]]);
  });

  it("are none for images", () => {
    expect(accepted(parseBody(openaiParser, "/v1/images/generations", { prompt: "x" })).prompts()).toBeUndefined();
  });
});

describe("prompts against a plain reading of the value", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme", maxLength: 40 }), fc.lorem());
  const block = fc.oneof(
    fc.record({ type: fc.constant("text"), text }),
    fc.record({ type: fc.constant("other"), x: text }),
    fc.constant(null),
  );
  const message = fc.record(
    {
      role: fc.constantFrom("user", "system", "assistant"),
      content: fc.oneof(text, fc.array(block), fc.constant(null)),
    },
    { requiredKeys: [] },
  );

  it("agree for chat, however the JSON is written", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1 }), fc.boolean(), fc.boolean(), (messages, spaced, escaped) => {
        let body = JSON.stringify({ messages }, null, spaced ? 1 : 0);
        if (escaped)
          body = body.replace(/[^\x20-\x7e\n]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
        const parts: Buffer[] = [];
        for (const { role = "", content } of messages) {
          parts.push(Buffer.from(role));
          if (typeof content === "string") parts.push(Buffer.from(content));
          else
            for (const part of content ?? []) if (part !== null && "text" in part) parts.push(Buffer.from(part.text));
        }
        const bytes = Buffer.concat(parts);
        const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
        const [prompt] = accepted(parseBody(openaiParser, CHAT, body)).prompts()!;
        expect(Buffer.from(prompt.bytes).equals(padded)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
