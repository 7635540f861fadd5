import type { Usage } from "../../core/parser.ts";
import { GrpcFrames, type MessageSink } from "./grpc-frames.ts";
import { createOpenAiUsageReader } from "./openai-usage.ts";
import { ProtoWalker, type FieldVisitor } from "./proto-walker.ts";
import type { UsageReader } from "./usage-reader.ts";

/** The data of a google.api.HttpBody. */
const DATA = 2;
const NO_BYTES = new Uint8Array(0);

/** JSON of one HttpBody after the other: each is an answer, or a piece of an event stream. */
class HttpBodies implements MessageSink, FieldVisitor {
  readonly #walker = new ProtoWalker(this);
  readonly #events: UsageReader;
  readonly #tell: (usage: Usage | undefined) => void;
  #json = createOpenAiUsageReader(false);

  constructor(joins: boolean, tell: (usage: Usage | undefined) => void) {
    this.#events = createOpenAiUsageReader(true, joins);
    this.#tell = tell;
  }

  begin(length: number): void {
    this.#json = createOpenAiUsageReader(false);
    this.#walker.begin(length);
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    this.#walker.push(bytes, start, end);
  }

  end(): void {
    if (this.#walker.isWhole) this.#tell(this.#json.push(NO_BYTES, true));
  }

  open(depth: number, field: number): "read" | "pass" {
    return depth === 0 && field === DATA ? "read" : "pass";
  }

  varint(): void {
    // An HttpBody has none.
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    const piece = bytes.subarray(start, end);
    this.#json.push(piece, false);
    this.#tell(this.#events.push(piece, false));
  }
}

/**
 * Usage from answers of Vertex AI's prediction service: as OpenAI's API tells it, in the JSON of an HttpBody. Where the
 * bodies are pieces of an event stream its events count, too.
 */
export function createVertexUsageReader(_eventStream: boolean, joins = true): UsageReader {
  let carried: Usage | undefined;
  let last: Usage | undefined;
  const bodies = new HttpBodies(joins, (usage) => {
    carried = usage ?? carried;
  });
  const frames = new GrpcFrames(bodies, joins);
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
