import { describe, expect, it } from "vitest";
import { tokenizedPromptKey } from "../../core/data-key.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { tokenProducer } from "./token-producer.ts";

const endpoints = poolOf([{}]);

describe("token-producer", () => {
  it("tells how many tokens the prompt has, under its own name", () => {
    const request = requestOf(endpoints, { inputTokens: 12 });
    expect(make(tokenProducer, {}, endpoints, { name: "tokenizer" }).produce(request)).toBeUndefined();
    expect(request.get(tokenizedPromptKey("tokenizer"))).toEqual({ tokens: 12 });
  });

  it("fails on a body without a prompt, which ends the producers but not the request", () => {
    const request = requestOf(endpoints, { inputTokens: -1, parser: "passthrough-parser" });
    const outcome = make(tokenProducer, {}, endpoints).produce(request);
    expect(outcome).toBe("a body of passthrough-parser has no prompt to tokenise");
    expect(request.get(tokenizedPromptKey("token-producer"))).toBeUndefined();
  });

  it("takes the estimate backend's parameters and fills in what they leave out", () => {
    const params = tokenProducer.params.parse({ estimate: { image: { mode: "static", static: { staticToken: 77 } } } });
    expect(params).toMatchObject({
      estimate: {
        image: { mode: "static", static: { staticToken: 77 }, defaultResolution: { width: 640, height: 360 } },
        video: { defaultDuration: 10, frames: { mode: "sampled", sampled: { sampleFPS: 2 } } },
      },
    });
  });

  for (const params of [
    { modelName: "m", vllm: { url: "http://127.0.0.1:1" }, estimate: {} },
    { udsTokenizerConfig: {} },
  ]) {
    it(`refuses ${JSON.stringify(params)}`, () => {
      expect(tokenProducer.params.safeParse(params).success).toBe(false);
    });
  }
});
