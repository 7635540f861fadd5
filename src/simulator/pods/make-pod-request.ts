import { blockHashRoot, chainBlockHashes } from "../engine/block-hash.ts";
import { tokenizeChat, tokenizePrompt } from "../engine/chat-template.ts";
import { generateOutput } from "../engine/output-text.ts";
import type { TokenBuffer } from "../engine/token-buffer.ts";
import { badRequest } from "./api-error.ts";
import type { GenerationParams } from "./openai-request.ts";
import type { PodSettings } from "./pod-options.ts";
import type { PodRequest } from "./pod-request.ts";

/** max_tokens of the completions API when the client names none. */
const COMPLETION_TOKENS_DEFAULT = 16;

/** Token ids of a prompt as the pod sees it. */
export const promptTokens = (prompt: GenerationParams["prompt"]): Uint32Array => tokenBuffer(prompt).view();

function tokenBuffer(prompt: GenerationParams["prompt"]): Pick<TokenBuffer, "view" | "mediaEnd"> {
  if ("ids" in prompt) return { view: () => prompt.ids, mediaEnd: 0 };
  return "messages" in prompt ? tokenizeChat(prompt.messages) : tokenizePrompt(prompt.text);
}

/** Tokenises the prompt, generates the answer and chains the block hashes. Throws ApiError when it is too long. */
export function makePodRequest(
  id: string,
  asked: GenerationParams,
  settings: PodSettings,
  more: Pick<PodRequest, "onProgress" | "onFailed" | "reachedAt" | "encodeUs" | "encodedParams">,
): PodRequest {
  const buffer = tokenBuffer(asked.prompt);
  // An encode pod has no use for the text.
  const prompt = settings.role === "encode" && buffer.mediaEnd > 0 ? buffer.view().slice(0, 1) : buffer.view();
  const params = { ...asked, tokensMax: outputTokensMax(asked, prompt.length, settings) };
  const output = generateOutput(settings.seed, prompt, startsWord(params), {
    tokensMax: params.tokensMax,
    naturalTokensMin: Math.max(params.tokensMin, settings.naturalTokensMin),
    naturalTokensMax: Math.max(params.tokensMin, settings.naturalTokensMax),
    ignoreEnd: params.ignoreEnd,
  });
  const tokens = new Uint32Array(prompt.length + output.tokens.length);
  tokens.set(prompt);
  tokens.set(output.tokens, prompt.length);
  const root = blockHashRoot([params.adapter ?? "", params.cacheSalt ?? ""]);
  const { lo, hi } = chainBlockHashes(tokens, tokens.length, settings.engine.blockSizeTokens, root);
  return {
    id,
    promptTokens: prompt.length,
    outputTokens: output.tokens.length,
    hashLo: lo,
    hashHi: hi,
    encodeTokens: Math.min(buffer.mediaEnd, prompt.length),
    fetchesPrompt: settings.kvTransfer !== undefined && params.kvTransfer.from !== undefined,
    holdsBlocks: settings.kvTransfer !== undefined && params.kvTransfer.holds,
    params,
    tokens,
    output,
    arrivedUs: 0,
    state: "waiting",
    emittedTokens: 0,
    cachedTokens: 0,
    fetchedTokens: 0,
    heldParams: null,
    preemptions: 0,
    scheduledUs: 0,
    firstTokenUs: 0,
    lastTokenUs: 0,
    receivedWallMs: 0,
    firstTokenWallMs: 0,
    ...more,
  };
}

function outputTokensMax(params: GenerationParams, promptLength: number, settings: PodSettings): number {
  const most = settings.engine.modelLenTokensMax;
  const asked = params.tokensMaxAsked;
  if (asked !== undefined && asked > most) {
    throw badRequest(
      `max_tokens=${asked} cannot be greater than max_model_len=${most}. Please request fewer output tokens. (parameter=max_tokens, value=${asked})`,
      "max_tokens",
    );
  }
  const room = most - promptLength;
  const tokensMax = asked ?? (params.kind === "chat" ? room : Math.min(COMPLETION_TOKENS_DEFAULT, room));
  if (tokensMax > room || room < 1) {
    throw badRequest(
      `The prompt has ${promptLength} tokens and ${Math.max(tokensMax, 1)} output tokens are asked for, but max_model_len=${most}.`,
      "input_tokens",
    );
  }
  return tokensMax;
}

/** Whether the answer must open with a space to be a piece of its own: after a plain prompt that ends in a word or sign. */
function startsWord({ prompt }: GenerationParams): boolean {
  return "text" in prompt && !/\s$/.test(prompt.text);
}
