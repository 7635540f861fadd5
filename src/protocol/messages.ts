/**
 * The ext_proc messages as plain data. Bodies and header values are views over the bytes that came or go: nobody
 * writes into them.
 */

/** One header as it is on the wire: the key as received, the value as bytes (`raw_value`, else `value`). */
export interface HeaderField {
  readonly key: string;
  readonly value: Uint8Array;
}

/** JSON-like data, as google.protobuf.Struct carries it. */
export type MetadataValue =
  null | boolean | number | string | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

/** Dynamic metadata that goes with a message, by namespace. */
export type DynamicMetadata = { readonly [namespace: string]: MetadataValue };

/** Dynamic metadata that came with a message; looked into only when asked. */
export interface StreamMetadata {
  /** The value of a key in a namespace; undefined when either is absent. */
  value(namespace: string, key: string): MetadataValue | undefined;
  /** True when there is anything of a namespace. */
  has(namespace: string): boolean;
}

/** Envoy's BodySendMode. Other numbers may come from a newer Envoy. */
export const BODY_MODE = {
  none: 0,
  streamed: 1,
  buffered: 2,
  bufferedPartial: 3,
  fullDuplexStreamed: 4,
} as const;

/** How Envoy's filter is set up; in the first message of a stream. */
export interface ProtocolConfig {
  readonly requestBodyMode: number;
  readonly responseBodyMode: number;
}

interface Incoming {
  readonly metadata: StreamMetadata | undefined;
  readonly protocolConfig: ProtocolConfig | undefined;
}
export interface HeadersMessage extends Incoming {
  readonly kind: "requestHeaders" | "responseHeaders";
  readonly headers: readonly HeaderField[];
  /** What the headers exceed, in words; `headers` then ends before the limit. Undefined when they keep to the limits. */
  readonly overLimit: string | undefined;
  readonly endOfStream: boolean;
}
export interface BodyMessage extends Incoming {
  readonly kind: "requestBody" | "responseBody";
  readonly body: Uint8Array;
  readonly endOfStream: boolean;
}
export interface TrailersMessage extends Incoming {
  readonly kind: "requestTrailers" | "responseTrailers";
}
/** A message without any part that the picker knows. */
interface UnknownMessage extends Incoming {
  readonly kind: "unknown";
}
export type IncomingMessage = HeadersMessage | BodyMessage | TrailersMessage | UnknownMessage;

/** What becomes of a body: a chunk of a streamed answer, or the whole body (or the whole chunk) anew. */
export type BodyMutation =
  | { readonly kind: "streamed"; readonly body: Uint8Array; readonly endOfStream: boolean }
  | { readonly kind: "whole"; readonly body: Uint8Array };

/** Answer to headers or a body. */
export interface CommonAnswer {
  readonly kind: "requestHeaders" | "responseHeaders" | "requestBody" | "responseBody";
  readonly setHeaders: readonly HeaderField[];
  readonly removeHeaders: readonly string[];
  readonly clearRouteCache: boolean;
  /** Undefined leaves the body as it is. */
  readonly body: BodyMutation | undefined;
  readonly dynamicMetadata: DynamicMetadata | undefined;
}
interface TrailersAnswer {
  readonly kind: "requestTrailers" | "responseTrailers";
  readonly dynamicMetadata?: DynamicMetadata;
}
/** Ends the exchange: the proxy answers the client with this. */
export interface ImmediateAnswer {
  readonly kind: "immediate";
  readonly status: number;
  readonly body: Uint8Array;
  readonly setHeaders: readonly HeaderField[];
}
export type OutgoingMessage = CommonAnswer | TrailersAnswer | ImmediateAnswer;

/** An answer that changes nothing but what `parts` names. */
export const answer = (kind: CommonAnswer["kind"], parts: Partial<Omit<CommonAnswer, "kind">> = {}): CommonAnswer => ({
  kind,
  setHeaders: parts.setHeaders ?? [],
  removeHeaders: parts.removeHeaders ?? [],
  clearRouteCache: parts.clearRouteCache ?? false,
  body: parts.body,
  dynamicMetadata: parts.dynamicMetadata,
});

/** Bytes of body that a message carries: what waits in the transport until it is flushed. */
export const bodyBytesOf = (message: OutgoingMessage): number =>
  message.kind === "immediate" ? message.body.length : "body" in message ? (message.body?.body.length ?? 0) : 0;
