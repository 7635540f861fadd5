import type { CommonAnswer, MetadataValue, StreamMetadata } from "./messages.ts";

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

/** `host:port` that answered, as the proxy tells it with the response headers; undefined when it does not. */
export function readServed(metadata: StreamMetadata | undefined): string | undefined {
  const served = metadata?.value(METADATA.namespace, METADATA.served);
  return typeof served === "string" && served !== "" ? served : undefined;
}

/** Metadata of the answer that routes a request. */
export function destinationMetadata(
  destination: string,
  scores: Readonly<Record<string, number>> | undefined,
): NonNullable<CommonAnswer["dynamicMetadata"]> {
  return {
    [METADATA.namespace]: { [METADATA.destination]: destination, ...(scores && { [METADATA.scores]: scores }) },
  };
}

const isList = (value: MetadataValue | undefined): value is readonly MetadataValue[] => Array.isArray(value);
