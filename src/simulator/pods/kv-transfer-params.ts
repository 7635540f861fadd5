import { invalidField } from "./api-error.ts";

/** Where the KV of a prompt is: what a prefill pod's answer says, and its decode pod is told. */
export interface RemotePrefill {
  /** Changes with each start of the pod. */
  readonly engineId: string;
  readonly requestId: string;
  readonly host: string;
  readonly port: number;
  readonly blockIds: readonly number[];
}

/** What a request's `kv_transfer_params` ask for. */
export interface KvTransferAsk {
  /** `do_remote_decode`: another pod goes on with it, so its blocks are held. */
  readonly holds: boolean;
  /** `do_remote_prefill`: another pod has computed its prompt. */
  readonly from: RemotePrefill | undefined;
  /** `do_remote_prefill`, but what must go with it is missing or wrong: the prompt is computed, as in vLLM. */
  readonly incomplete: boolean;
}

const NOTHING: KvTransferAsk = { holds: false, from: undefined, incomplete: false };
const PORT_MAX = 65_535;

/** Reads `kv_transfer_params`. Throws ApiError when it is neither an object nor null. */
export function readKvTransferParams(value: unknown): KvTransferAsk {
  if (value === undefined || value === null) return NOTHING;
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalidField("body.kv_transfer_params", "dict_type", "Input should be a valid dictionary");
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const holds = fields["do_remote_decode"] === true;
  if (fields["do_remote_prefill"] !== true) return { ...NOTHING, holds };
  const from = readRemote(fields);
  return { holds, from, incomplete: from === undefined };
}

function readRemote(fields: Readonly<Record<string, unknown>>): RemotePrefill | undefined {
  const { remote_engine_id: engineId, remote_request_id: requestId, remote_host: host } = fields;
  const port = Number(fields["remote_port"]);
  const blockIds = readBlockIds(fields["remote_block_ids"]);
  if (!isText(engineId) || !isText(requestId) || !isText(host) || !blockIds) return undefined;
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) return undefined;
  return { engineId, requestId, host, port, blockIds };
}

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** A list of block numbers, or one such list for each group of layers, as later vLLM has it; the pods have one group. */
function readBlockIds(value: unknown): readonly number[] | undefined {
  const list: unknown = Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? value[0] : value;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  return list.every((id) => Number.isInteger(id) && (id as number) >= 0) ? (list as number[]) : undefined;
}

/** The `kv_transfer_params` of an answer whose blocks are held, as vLLM's NixlConnector gives them. */
export const remotePrefillParams = (remote: RemotePrefill, promptTokens: number): unknown => ({
  do_remote_prefill: true,
  do_remote_decode: false,
  remote_block_ids: [remote.blockIds],
  remote_engine_id: remote.engineId,
  remote_request_id: remote.requestId,
  remote_host: remote.host,
  remote_port: remote.port,
  tp_size: 1,
  remote_num_tokens: promptTokens,
});
