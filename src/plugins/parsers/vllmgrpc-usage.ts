import type { Usage } from "../../core/parser.ts";
import { GrpcFrames, type MessageSink } from "./grpc-frames.ts";
import { ProtoWalker, type FieldVisitor } from "./proto-walker.ts";
import type { UsageReader } from "./usage-reader.ts";

/** Fields of a GenerateResponse, and where either holds prompt, completion and cached tokens. */
const CHUNK = 1;
const COMPLETE = 2;
const COUNTS = new Map([
  [CHUNK, [2, 3, 4]],
  [COMPLETE, [3, 4, 5]],
]);
const EMBED_PROMPT_TOKENS = 2;

/** Counts of one GenerateResponse: of its two forms the later one. */
class GenerateCounts implements FieldVisitor {
  form = 0;
  readonly counts = [0, 0, 0];

  reset(): void {
    this.form = 0;
    this.counts.fill(0);
  }

  open(depth: number, field: number): "enter" | "pass" {
    if (depth > 0 || !COUNTS.has(field)) return "pass";
    if (field !== this.form) this.counts.fill(0);
    this.form = field;
    return "enter";
  }

  varint(depth: number, field: number, value: number): void {
    const index = depth === 1 ? COUNTS.get(this.form)!.indexOf(field) : -1;
    if (index >= 0) this.counts[index] = value;
  }
}

/** The prompt's tokens of one EmbedResponse. */
class EmbedCounts implements FieldVisitor {
  promptTokens = 0;

  open(): "pass" {
    return "pass";
  }

  varint(_depth: number, field: number, value: number): void {
    if (field === EMBED_PROMPT_TOKENS) this.promptTokens = value;
  }
}

/** What one message tells: that of a GenerateResponse; of one that is none, that of an EmbedResponse. */
class EngineResponse implements MessageSink {
  readonly #generate = new GenerateCounts();
  readonly #embed = new EmbedCounts();
  readonly #generateWalker = new ProtoWalker(this.#generate);
  readonly #embedWalker = new ProtoWalker(this.#embed);
  readonly #tell: (usage: Usage) => void;

  constructor(tell: (usage: Usage) => void) {
    this.#tell = tell;
  }

  begin(length: number): void {
    this.#generate.reset();
    this.#embed.promptTokens = 0;
    this.#generateWalker.begin(length);
    this.#embedWalker.begin(length);
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    this.#generateWalker.push(bytes, start, end);
    this.#embedWalker.push(bytes, start, end);
  }

  end(): void {
    const { form, counts } = this.#generate;
    if (this.#generateWalker.isWhole && form !== 0) {
      const [promptTokens, completionTokens, cachedTokens] = counts;
      if (promptTokens > 0 || completionTokens > 0) this.#tell({ promptTokens, completionTokens, cachedTokens });
    } else if (this.#embedWalker.isWhole && this.#embed.promptTokens > 0) {
      this.#tell({ promptTokens: this.#embed.promptTokens, completionTokens: 0, cachedTokens: -1 });
    }
  }
}

/** Usage from answers of vLLM's gRPC API: of the messages that count tokens the last one counts. */
export function createVllmGrpcUsageReader(_eventStream: boolean, joins = true): UsageReader {
  let carried: Usage | undefined;
  let last: Usage | undefined;
  const response = new EngineResponse((usage) => {
    carried = usage;
  });
  const frames = new GrpcFrames(response, joins);
  return {
    push(chunk) {
      carried = undefined;
      frames.push(chunk);
      last = carried ?? last;
      return carried;
    },
    usage: () => last,
  };
}
