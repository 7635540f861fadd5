import { pushMedia, type MediaItem } from "./media-item.ts";
import { TokenBuffer } from "./token-buffer.ts";
import { tokenize } from "./tokenizer.ts";

/** A message as the model sees it: role and plain text. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** A message that may have text and media in turn, with a newline between two parts. */
export interface PromptMessage {
  readonly role: string;
  readonly content: string | readonly (string | MediaItem)[];
}

/** Special token before the role of a message. */
export const MESSAGE_START_ID = 1;
/** Special token after a message; a model that ends by itself generates it as its last token. */
export const MESSAGE_END_ID = 2;

/**
 * Token ids of a chat prompt, after Qwen's template: start, role, newline, content, end, newline for each message, and
 * the opening of the answer (`addGenerationPrompt`). So the prompt of a longer history begins with the ids of a
 * shorter one and its answer: content is cut off from the rest by special tokens.
 */
export function tokenizeChat(messages: readonly PromptMessage[], addGenerationPrompt = true): TokenBuffer {
  const buffer = new TokenBuffer();
  for (const { role, content } of messages) {
    buffer.push(MESSAGE_START_ID);
    tokenize(`${role}\n`, buffer);
    tokenizeContent(content, buffer);
    buffer.push(MESSAGE_END_ID);
    tokenize("\n", buffer);
  }
  if (addGenerationPrompt) {
    buffer.push(MESSAGE_START_ID);
    tokenize("assistant\n", buffer);
  }
  return buffer;
}

function tokenizeContent(content: PromptMessage["content"], into: TokenBuffer): void {
  if (typeof content === "string") return tokenize(content, into);
  for (const [i, part] of content.entries()) {
    if (i > 0) tokenize("\n", into);
    if (typeof part === "string") tokenize(part, into);
    else pushMedia(part, into);
  }
}

/** Token ids of a plain prompt. */
export function tokenizePrompt(prompt: string): TokenBuffer {
  const buffer = new TokenBuffer();
  tokenize(prompt, buffer);
  return buffer;
}
