import { dataKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PickResult, PluginRequest } from "../../core/plugin.ts";

/** Tells the decode pod's side-car where prefill runs. */
const PREFILL_HEADER = "x-prefiller-host-port";
/** Tells it where encode runs: a comma between pods. */
const ENCODE_HEADER = "x-encoder-hosts-ports";

const toldKey = dataKey<ReadonlySet<string>>("DisaggHeaders", "request");

/** Profiles whose picks the decode pod is told. */
export interface StageProfiles {
  readonly prefill: string;
  readonly encode: string;
}

/**
 * Sets the headers for the decode pod: the first pick of the prefill profile and all picks of the encode profile. Without
 * a pick, what the client sent is taken from the headers that the answer sets, and what another plugin set for this
 * decision stays.
 */
export function tellPods(
  request: PluginRequest,
  { picks }: PickResult,
  { prefill, encode }: StageProfiles,
  endpoints: Endpoints,
): void {
  const hostsOf = (profile: string) =>
    picks.filter((pick) => pick.profile === profile).map(({ slot }) => endpoints.target[slot]);
  tell(request, PREFILL_HEADER, hostsOf(prefill).slice(0, 1));
  tell(request, ENCODE_HEADER, hostsOf(encode));
}

function tell(request: PluginRequest, header: string, hosts: readonly string[]): void {
  const told = request.get(toldKey) ?? new Set<string>();
  if (hosts.length > 0) {
    request.setHeader(header, hosts.join(","));
    request.put(toldKey, new Set([...told, header]));
  } else if (!told.has(header)) request.removeHeader(header);
}
