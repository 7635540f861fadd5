import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { stringify } from "yaml";

/** Bytes in a case file: text, base64, a repetition, or parts joined. */
export type Bytes =
  | string
  | { readonly base64: string }
  | { readonly repeat: string; readonly times: number }
  | { readonly parts: readonly Bytes[] };

export type HeaderPair = readonly [key: string, value: Bytes, field?: "value"];

export interface CaseHeaders {
  readonly headers: readonly HeaderPair[];
  readonly end_of_stream?: boolean;
}
export interface CaseBody {
  readonly body?: Bytes;
  readonly end_of_stream?: boolean;
}

/** A ProcessingRequest as case files write it: one of the kinds, and metadata. */
export interface CaseMessage {
  readonly request_headers?: CaseHeaders;
  readonly request_body?: CaseBody;
  readonly request_trailers?: { readonly headers?: readonly HeaderPair[] };
  readonly response_headers?: CaseHeaders;
  readonly response_body?: CaseBody;
  readonly response_trailers?: { readonly headers?: readonly HeaderPair[] };
  readonly metadata?: Readonly<Record<string, Json>>;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type Page = string | { readonly status?: number; readonly text?: string } | null;

export interface Step {
  readonly send?: string;
  readonly message?: CaseMessage;
  readonly end?: string;
  readonly cancel?: string;
  readonly metrics?: Readonly<Record<string, Page>>;
  readonly wait?: number;
  readonly scrape?: string;
}

export interface CaseEndpoint {
  readonly name: string;
  readonly namespace?: string;
  readonly address: string;
  readonly port: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Case {
  readonly id: string;
  /** What the case is about. */
  readonly note?: string;
  readonly family: string;
  readonly config: string;
  readonly flags?: readonly string[];
  readonly endpoints: readonly CaseEndpoint[];
  readonly endpointsText?: string;
  readonly metrics?: Readonly<Record<string, Page>>;
  readonly steps: readonly Step[];
  readonly pick?: "max" | "any";
  readonly stateful?: boolean;
  /** Priorities of objectives by name; of our own cases alone, as recordings have no objects of Kubernetes. */
  readonly objectives?: Readonly<Record<string, number>>;
  /** Whether `answers.metrics` was recorded. */
  readonly metricsToo?: boolean;
}

/** Bytes in an answer. */
export type Described =
  | { readonly bytes: number; readonly utf8: string }
  | { readonly bytes: number; readonly base64: string }
  | { readonly bytes: number; readonly sha256: string };

export type AnswerHeader = readonly [key: string, value: string | { readonly base64: string }, extra?: Json];

/** A ProcessingResponse in the recordings' form. */
export interface AnswerMessage {
  readonly after: number;
  readonly type: string;
  readonly set_headers?: readonly AnswerHeader[];
  readonly remove_headers?: readonly string[];
  readonly clear_route_cache?: boolean;
  readonly status?: number;
  readonly body?: Described;
  readonly end_of_stream?: boolean;
  readonly whole_body?: Described;
  readonly clear_body?: boolean;
  readonly dynamic_metadata?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly code?: number;
  readonly grpc_status?: number;
}

export interface StreamAnswers {
  readonly messages: readonly AnswerMessage[];
  readonly status: { readonly code: number | string; readonly details?: string };
}

export interface Answers {
  readonly start: "serving" | { readonly exit: number | null; readonly errors: readonly string[] };
  readonly streams: Readonly<Record<string, StreamAnswers>>;
  /** The picker's own series at the end: `name{labels}` to value. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The same at the `scrape` steps, by name. */
  readonly scrapes?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The page's families, as `NAME TYPE`. */
  readonly families?: readonly string[];
}

export interface Recording {
  readonly case: Case;
  readonly answers: Answers;
  readonly alternatives?: readonly Answers[];
}

/** The recordings of a family, from the project's own copy. */
export function readFamily(family: string): Recording[] {
  const file = new URL(`data/${family}.jsonl.gz`, import.meta.url);
  const lines = gunzipSync(readFileSync(file)).toString("utf8").split("\n");
  return lines.filter(Boolean).map((line) => JSON.parse(line) as Recording);
}

export function toBytes(bytes: Bytes | undefined): Buffer {
  if (bytes === undefined) return Buffer.alloc(0);
  if (typeof bytes === "string") return Buffer.from(bytes, "utf8");
  if ("base64" in bytes) return Buffer.from(bytes.base64, "base64");
  if ("repeat" in bytes) return Buffer.from(bytes.repeat.repeat(bytes.times), "utf8");
  return Buffer.concat(bytes.parts.map(toBytes));
}

const SHOWN_BYTES_MAX = 280;

/** Bytes as answers hold them: short ones in full, longer ones by their hash. */
export function describeBytes(bytes: Uint8Array): Described {
  const buffer = Buffer.from(bytes);
  if (buffer.length > SHOWN_BYTES_MAX) {
    return { bytes: buffer.length, sha256: createHash("sha256").update(buffer).digest("hex").slice(0, 16) };
  }
  const utf8 = buffer.toString("utf8");
  return Buffer.from(utf8, "utf8").equals(buffer)
    ? { bytes: buffer.length, utf8 }
    : { bytes: buffer.length, base64: buffer.toString("base64") };
}

/** The endpoints file of a case. */
export function endpointsText(testCase: Case): string {
  if (testCase.endpointsText !== undefined) return testCase.endpointsText;
  const endpoints = testCase.endpoints.map(({ name, namespace, address, port, labels }) => ({
    name,
    ...(namespace && { namespace }),
    address,
    port,
    ...(labels && { labels }),
  }));
  return stringify({ endpoints }, { defaultStringType: "QUOTE_DOUBLE" });
}
