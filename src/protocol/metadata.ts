import type { ServedWord } from "../core/events.ts";
import type { ResponseMetadata } from "../core/request-state.ts";
import type { DynamicMetadata, MetadataValue, OutgoingMessage, StreamMetadata } from "./messages.ts";

/** Namespaces and keys of the Endpoint Picker Protocol. */
const METADATA = {
  subsetNamespace: "envoy.lb.subset_hint",
  subset: "x-gateway-destination-endpoint-subset",
  namespace: "envoy.lb",
  destination: "x-gateway-destination-endpoint",
  scores: "x-gateway-destination-endpoint-scores",
  served: "x-gateway-destination-endpoint-served",
} as const;

/**
 * The endpoints that may be picked, as `ip` or `ip:port`. Undefined (all may) when there is no hint or it is no list;
 * members that are no strings are left out, so a list can come out empty: then none may.
 */
export function readSubset(metadata: StreamMetadata | undefined): readonly string[] | undefined {
  const hint = metadata?.value(METADATA.subsetNamespace, METADATA.subset);
  if (!isList(hint)) return undefined;
  return hint.filter((member): member is string => typeof member === "string");
}

/** What the proxy tells with the response headers of the endpoint that answered. */
export function readServed(metadata: StreamMetadata | undefined): ServedWord {
  const served = metadata?.value(METADATA.namespace, METADATA.served);
  if (typeof served === "string" && served !== "") return { served, tells: true };
  return metadata?.has(METADATA.namespace) ? { tells: true } : {};
}

/** The messages that complete a response, the last one of its body (or the last one) with what plugins tell the proxy. */
export function withEndMetadata(
  messages: readonly OutgoingMessage[],
  told: ResponseMetadata | undefined,
): readonly OutgoingMessage[] {
  if (!told || messages.length === 0) return messages;
  const dynamicMetadata = Object.fromEntries([...told].map(([name, values]) => [name, Object.fromEntries(values)]));
  const ofBody = messages.findLastIndex(({ kind }) => kind === "responseBody");
  const at = ofBody < 0 ? messages.length - 1 : ofBody;
  return messages.map((message, i) => (i === at ? { ...message, dynamicMetadata } : message));
}

/** Metadata of the answer that routes a request. */
export function destinationMetadata(
  destination: string,
  scores: Readonly<Record<string, number>> | undefined,
): DynamicMetadata {
  return {
    [METADATA.namespace]: { [METADATA.destination]: destination, ...(scores && { [METADATA.scores]: scores }) },
  };
}

const isList = (value: MetadataValue | undefined): value is readonly MetadataValue[] => Array.isArray(value);
