import { z } from "zod";
import { tokenizedPromptKey } from "../../core/data-key.ts";
import { defineProducer } from "../define.ts";
import { estimateParams } from "./estimate-params.ts";

export const TOKEN_PRODUCER = "token-producer";

const NOT_BUILT = "nothing: only the estimate backend is built in this release";

const params = z.strictObject({
  modelName: z.string().default("").describe("Model whose tokeniser is used; the estimate needs none."),
  estimate: estimateParams.optional().describe("Counts 4 bytes as a token; the default backend."),
  vllm: z
    .unknown()
    .refine(() => false, NOT_BUILT)
    .optional()
    .describe("Tokenises at a vLLM server: not built yet."),
  udsTokenizerConfig: z
    .unknown()
    .refine(() => false, NOT_BUILT)
    .optional()
    .describe("Side-car tokeniser: not built yet."),
});

/**
 * Tells other plugins that the prompt was tokenised, and to how many tokens.
 *
 * The estimate takes 4 bytes of the prompt as one token; it runs where the body is read, so the tokens come with the
 * request's facts. A request whose API has no prompt is a failure that ends the producers, not the request, as stock.
 * Source: requestcontrol/dataproducer/tokenizer.
 */
export const tokenProducer = defineProducer({
  type: TOKEN_PRODUCER,
  aliases: ["tokenizer"],
  params,
  warnings: ({ estimate }) =>
    estimate ? ["estimate has no effect yet: pictures, sounds and films count by the default settings"] : [],
  data: (_params, name) => ({ produces: [tokenizedPromptKey(name)] }),
  create: (_params, { name }) => {
    const key = tokenizedPromptKey(name);
    return {
      produce(request) {
        const tokens = request.facts.inputTokens;
        if (tokens < 0) return `a body of ${request.facts.parser || "no parser"} has no prompt to tokenise`;
        request.put(key, { tokens });
        return undefined;
      },
    };
  },
});
