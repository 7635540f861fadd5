import { invalidField } from "./api-error.ts";

/** Where an encoded picture, sound or film is. */
export interface RemoteMedia {
  readonly engineId: string;
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65_535;

/**
 * Reads `ec_transfer_params`: by the hash of each item, the pod that has encoded it. Entries that lack something are
 * left out: those items are encoded here. Throws ApiError when it is neither an object nor null.
 */
export function readEcTransferParams(value: unknown): ReadonlyMap<string, RemoteMedia> {
  const found = new Map<string, RemoteMedia>();
  if (value === undefined || value === null) return found;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidField("body.ec_transfer_params", "dict_type", "Input should be a valid dictionary");
  }
  for (const [hash, entry] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    if (typeof entry !== "object" || entry === null) continue;
    const { remote_engine_id: engineId, remote_host: host, remote_port: port } = entry as Record<string, unknown>;
    if (typeof engineId !== "string" || typeof host !== "string" || host === "") continue;
    if (!Number.isInteger(port) || Number(port) < 1 || Number(port) > PORT_MAX) continue;
    found.set(hash, { engineId, host, port: Number(port) });
  }
  return found;
}

/** The `ec_transfer_params` of an encode pod's answer. */
export const remoteMediaParams = (hashes: readonly string[], { engineId, host, port }: RemoteMedia): unknown =>
  Object.fromEntries(
    hashes.map((hash) => [hash, { remote_engine_id: engineId, remote_host: host, remote_port: port }]),
  );
