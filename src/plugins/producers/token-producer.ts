import { z } from "zod";
import { tokenizedPromptKey } from "../../core/data-key.ts";
import { defineProducer } from "../define.ts";
import { goDurationUs } from "../params.ts";
import { estimateParams, mediaSettingsOf } from "./estimate-params.ts";

export const TOKEN_PRODUCER = "token-producer";

const timeout = (text: string) =>
  goDurationUs
    .refine((us) => us > 0, "a duration above 0")
    .optional()
    .describe(`Most time for ${text}.`);

const backends = {
  estimate: estimateParams.optional().describe("Counts 4 bytes as a token; the default backend."),
  vllm: z
    .strictObject({
      url: z.string().default("http://localhost:8000").describe("Where the server is."),
      timeout: timeout("a prompt; 5s"),
      mmTimeout: timeout("a prompt with pictures, sounds or films; 30s"),
    })
    .optional()
    .describe("Tokenises at a vLLM server: not built yet."),
  udsTokenizerConfig: z
    .strictObject({
      socketFile: z.string().default("").describe("Unix socket of the side-car."),
      useTCP: z.boolean().default(false).describe("The address is of TCP."),
      modelTokenizerMap: z.record(z.string(), z.string()).default({}).describe("Tokenisers by model."),
    })
    .optional()
    .describe("Tokenises at a side-car: not built yet, and old."),
};

const params = z
  .strictObject({
    modelName: z.string().default("").describe("Model whose tokeniser is used; the estimate needs none."),
    ...backends,
  })
  .superRefine((given, context) => {
    const named = (Object.keys(backends) as (keyof typeof backends)[]).filter((key) => given[key] !== undefined);
    const issue = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
    if (named.length > 1) issue(named[1], `one backend, and ${named[0]} is one`);
    else if (named.length === 1 && named[0] !== "estimate" && given.modelName === "") {
      issue("modelName", `the name of the model, as the backend is ${named[0]}`);
    }
  });

/**
 * Tells other plugins that the prompt was tokenised, and to how many tokens.
 *
 * The estimate takes 4 bytes of the prompt as one token; it runs where the body is read, so the tokens come with the
 * request's facts. A picture counts max(1, floor(width * height / factor)) tokens, or staticToken; a film its frames by
 * the tokens of a frame, from 1 to maxVideoTokens, with the frames floor(seconds * sampleFPS) or
 * floor(floor(seconds * source's FPS) / frameStride), bounded, then (sampled) divided by temporalPatchSize; a sound a
 * quarter of the bytes of its base64 text and format. Each stands in the prompt as so many copies of its content's
 * XXH64, low half. Headers x-llm-d-video-duration-seconds, x-llm-d-video-resolution (`640x360`) and x-llm-d-video-fps
 * count before the parameters. A request whose API has no prompt is a failure that ends the producers, not the request,
 * as stock.
 * Source: requestcontrol/dataproducer/tokenizer.
 */
export const tokenProducer = defineProducer({
  type: TOKEN_PRODUCER,
  example: `
plugins:
- type: token-producer
  parameters:
    estimate: {image: {mode: static, static: {staticToken: 256}}}
- type: prefix-cache-scorer
`,
  aliases: ["tokenizer"],
  params,
  unbuiltParams: ({ vllm, udsTokenizerConfig }) => [
    ...(vllm ? ["vllm"] : []),
    ...(udsTokenizerConfig ? ["udsTokenizerConfig"] : []),
  ],
  data: (_params, name) => ({ produces: [tokenizedPromptKey(name)] }),
  create: ({ estimate }, { name }) => {
    const key = tokenizedPromptKey(name);
    return {
      media: mediaSettingsOf(estimate),
      produce(request) {
        const tokens = request.facts.inputTokens;
        if (tokens < 0) return `a body of ${request.facts.parser || "no parser"} has no prompt to tokenise`;
        request.put(key, { tokens });
        return undefined;
      },
    };
  },
});
