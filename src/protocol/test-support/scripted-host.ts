import { blockIds } from "../../core/block-ids.ts";
import type { Decision, Picked } from "../../core/decision.ts";
import type { EndCause, ServedWord } from "../../core/events.ts";
import type { ParsedRequest, Parser, ResponseReader, Usage } from "../../core/parser.ts";
import type { Rejection } from "../../core/rejection.ts";
import type { ResponseMetadata } from "../../core/request-state.ts";
import { BodyAccount } from "../body-account.ts";
import { ExtProcMachine } from "../ext-proc-machine.ts";
import type { ArrivingFacts, MachineHost, MachineOptions, StreamStatus } from "../machine-options.ts";
import { BODY_MODE } from "../messages.ts";
import type {
  HeaderField,
  IncomingMessage,
  MetadataValue,
  OutgoingMessage,
  ProtocolConfig,
  StreamMetadata,
} from "../messages.ts";
import { bytesOf, textOf } from "../../core/text.ts";

/** A parser of small JSON bodies: what the machine needs of one, by JSON.parse. Counts usage as the bytes it saw. */
export const plainParser: Parser = {
  type: "plain-parser",
  claims: ["completions"],
  parse({ body }): ParsedRequest | { ok: false; message: string } {
    let json: Record<string, unknown>;
    try {
      json = JSON.parse(textOf(body)) as Record<string, unknown>;
    } catch (error) {
      return { ok: false, message: `no JSON: ${String(error)}` };
    }
    return {
      ok: true,
      model: typeof json["model"] === "string" ? json["model"] : "",
      stream: json["stream"] === true,
      maxOutputTokens: -1,
      cacheSalt: "",
      rewritable: true,
      skipResponse: json["skip"] === true,
      prompts: () => (typeof json["prompt"] === "string" ? [{ bytes: padded(bytesOf(json["prompt"])) }] : undefined),
    };
  },
  rewriteModel(body, model) {
    const text = textOf(body);
    const at = text.indexOf('"model":"') + 9;
    const end = text.indexOf('"', at);
    return [bytesOf(text.slice(0, at)), bytesOf(model), bytesOf(text.slice(end))];
  },
  createResponseReader(): ResponseReader {
    let bytes = 0;
    return {
      push: (chunk) => void (bytes += chunk.length),
      usage: () => (bytes > 0 ? { promptTokens: bytes, completionTokens: -1, cachedTokens: -1 } : undefined),
    };
  },
};
const padded = (bytes: Uint8Array): Uint8Array => {
  const out = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  out.set(bytes);
  return out;
};

type HostEvent =
  | { readonly event: "arrive"; readonly facts: ArrivingFacts }
  | ({ readonly event: "responseStarted" } & ServedWord)
  | { readonly event: "responseFirstByte" }
  | { readonly event: "ended"; readonly cause: EndCause; readonly usage: Usage | undefined }
  | { readonly event: "finish"; readonly status: StreamStatus };

/** What the host decides: a route, a refusal, or nothing yet (the request is parked). */
export type Verdict =
  | { readonly targets: readonly string[]; readonly model?: string; readonly headers?: Decision["headers"] }
  | { readonly reject: Rejection }
  | "park";

export interface Scripted {
  readonly machine: ExtProcMachine;
  readonly account: BodyAccount;
  readonly sent: OutgoingMessage[];
  readonly events: HostEvent[];
  /** Decides a parked request. */
  decide(verdict: Verdict): void;
}

export const POD = "10.0.0.1:8000";
export const REQUEST_ID = "00000000-0000-4000-8000-000000000000";

/** A machine under a host that decides as told and keeps everything that it hears. */
export function scripted(
  verdict: Verdict = { targets: [POD] },
  options: Partial<MachineOptions> = {},
  endMetadata?: ResponseMetadata,
): Scripted {
  const sent: OutgoingMessage[] = [];
  const events: HostEvent[] = [];
  const account = options.account ?? new BodyAccount(1 << 30);
  let facts: ArrivingFacts | undefined;
  const decide = (decided: Verdict): void => {
    if (decided !== "park" && facts) machine.onDecision(decisionOf(facts, decided));
  };
  const host: MachineHost = {
    arrive(arriving) {
      events.push({ event: "arrive", facts: arriving });
      facts = arriving;
      decide(verdict);
    },
    responseStarted(word) {
      events.push({ event: "responseStarted", ...word });
      return new Map();
    },
    responseFirstByte: () => void events.push({ event: "responseFirstByte" }),
    ended(cause, usage) {
      events.push({ event: "ended", cause, usage });
      return endMetadata;
    },
    send: (message) => void sent.push(message),
    finish: (status) => void events.push({ event: "finish", status }),
  };
  const machine = new ExtProcMachine(
    {
      plan: () => ({
        resolveParser: (path) => (path.endsWith("completions") ? plainParser : undefined),
        headerNames: ["x-named"],
        tokenizes: true,
        blockSizesTokens: [16],
      }),
      blockIds,
      newRequestId: () => REQUEST_ID,
      rewrite: "splice",
      removesClientHeaders: true,
      emitEndpointScores: false,
      limits: { bodyBytesMax: 10_000_000, headersMax: 100, headerBytesMax: 10_000 },
      account,
      ...options,
    },
    host,
  );
  return { machine, account, sent, events, decide };
}

function decisionOf(facts: ArrivingFacts, verdict: Exclude<Verdict, "park">): Decision {
  const picked = "targets" in verdict ? verdict : undefined;
  const outcome: Decision["outcome"] =
    "reject" in verdict
      ? { kind: "rejected", rejection: verdict.reject }
      : ({ kind: "picked", targets: verdict.targets, endpointIds: ["default/a"], slots: [0, 0] } satisfies Picked);
  return {
    facts: { ...facts, key: 1 },
    sequence: 0,
    atUs: 0,
    outcome,
    targetModel: picked?.model ?? facts.model,
    priority: 0,
    fairnessId: "default-flow",
    headers: picked?.headers ?? new Map(),
    scores: () => ({ [POD]: 0.5, "10.0.0.2:8000": 0.25 }),
    record: () => undefined,
  };
}

type Extras = {
  readonly metadata?: { readonly [namespace: string]: { readonly [key: string]: MetadataValue } };
  readonly config?: ProtocolConfig;
};
const extras = ({ metadata, config }: Extras) => ({
  metadata:
    metadata &&
    ({
      value: (namespace, key) => metadata[namespace]?.[key],
      has: (namespace) => namespace in metadata,
    } satisfies StreamMetadata),
  protocolConfig: config,
});
const fields = (headers: { readonly [key: string]: string } | readonly (readonly [string, string])[]): HeaderField[] =>
  (Array.isArray(headers) ? headers : Object.entries(headers)).map(([key, value]) => ({ key, value: bytesOf(value) }));

const headersMessage =
  (kind: "requestHeaders" | "responseHeaders") =>
  (
    headers: Parameters<typeof fields>[0],
    { endOfStream = false, ...more }: Extras & { readonly endOfStream?: boolean } = {},
  ): IncomingMessage => ({ kind, headers: fields(headers), overLimit: undefined, endOfStream, ...extras(more) });
const bodyMessage =
  (kind: "requestBody" | "responseBody") =>
  (body: string | Uint8Array, endOfStream = false, more: Extras = {}): IncomingMessage => ({
    kind,
    body: typeof body === "string" ? bytesOf(body) : body,
    endOfStream,
    ...extras(more),
  });

/** Messages in, as Envoy sends them. */
export const incoming = {
  requestHeaders: headersMessage("requestHeaders"),
  requestBody: bodyMessage("requestBody"),
  requestTrailers: (more: Extras = {}): IncomingMessage => ({ kind: "requestTrailers", ...extras(more) }),
  responseHeaders: headersMessage("responseHeaders"),
  responseBody: bodyMessage("responseBody"),
  responseTrailers: (): IncomingMessage => ({ kind: "responseTrailers", ...extras({}) }),
};

/** A message out in short: kind, headers as text, body as text with `$` at the end of the stream. */
export function brief(message: OutgoingMessage): object {
  if (message.kind === "immediate") {
    return { kind: message.kind, status: message.status, body: textOf(message.body), ...headersOf(message.setHeaders) };
  }
  if (!("setHeaders" in message)) return { kind: message.kind };
  const { kind, setHeaders, removeHeaders, clearRouteCache, body, dynamicMetadata } = message;
  return {
    kind,
    ...headersOf(setHeaders),
    ...(removeHeaders.length > 0 && { removeHeaders }),
    ...(clearRouteCache && { clearRouteCache }),
    ...(body && { body: textOf(body.body) + (body.kind === "streamed" && body.endOfStream ? "$" : "") }),
    ...(body?.kind === "whole" && { whole: true }),
    ...(dynamicMetadata && { dynamicMetadata }),
  };
}
const headersOf = (headers: readonly HeaderField[]) =>
  headers.length > 0 ? { headers: headers.map(({ key, value }) => `${key}: ${textOf(value)}`) } : {};

/** Path and id that most tests use. */
export const PATH = { ":path": "/v1/completions?x=1", "x-request-id": "r" };
export const BODY = '{"model":"m","prompt":"hello"}';
/** A whole request. */
export const REQUEST: readonly IncomingMessage[] = [incoming.requestHeaders(PATH), incoming.requestBody(BODY, true)];

/** Envoy's FULL_DUPLEX_STREAMED for requests; for responses too unless told otherwise. */
export const duplex = (responseBodyMode: number = BODY_MODE.fullDuplexStreamed): ProtocolConfig => ({
  requestBodyMode: BODY_MODE.fullDuplexStreamed,
  responseBodyMode,
});

/** Sends messages; gives what came back, in short. */
export function play(run: Scripted, ...messages: readonly IncomingMessage[]): object[] {
  const before = run.sent.length;
  for (const message of messages) run.machine.receive(message);
  return run.sent.slice(before).map(brief);
}

/** Names of what the host heard, with cause or status of the ends. */
export const heard = (run: Scripted): string[] =>
  run.events.map((e) =>
    e.event === "ended" ? `ended ${e.cause}` : e.event === "finish" ? `finish ${e.status.code}` : e.event,
  );

/** Facts of the request that arrived. */
export const arrived = (run: Scripted): ArrivingFacts => run.events.find((e) => e.event === "arrive")!.facts;
