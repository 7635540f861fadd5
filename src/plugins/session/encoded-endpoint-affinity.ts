import { fromBase64, toBase64 } from "../../core/base64.ts";
import type { Candidates } from "../../core/candidates.ts";
import { dataKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PickResult, PluginRequest, ReservedTarget } from "../../core/plugin.ts";
import { bytesOf, textOf } from "../../core/text.ts";
import type { Affinity } from "./affinity.ts";

/**
 * Affinity that the client carries: a response tells the endpoint that served it in a header, in base64, and the client
 * shows it again with its next request.
 */
export class EncodedEndpointAffinity implements Affinity {
  readonly #endpoints: Endpoints;
  readonly #header: string;
  readonly #profileName: string;
  readonly #servedKey;

  constructor(name: string, endpoints: Endpoints, header: string, profileName: string) {
    this.#endpoints = endpoints;
    this.#header = header;
    this.#profileName = profileName;
    this.#servedKey = dataKey<ReservedTarget>("SessionServed", name);
  }

  placeOf(request: PluginRequest, { count, slots }: Candidates): number {
    const id = idOf(request.header(this.#header) ?? "");
    const slot = id === undefined ? -1 : this.#endpoints.slotOf(id);
    return slot < 0 ? -1 : slots.subarray(0, count).indexOf(slot);
  }

  preRequest(request: PluginRequest, { primary, targets }: PickResult): void {
    const profile = this.#profileName || primary;
    const target = targets.find((one) => one.profile === profile);
    if (target) request.put(this.#servedKey, target);
  }

  moved(request: PluginRequest, from: ReservedTarget, to: ReservedTarget): void {
    if (request.get(this.#servedKey)?.profile === from.profile) request.put(this.#servedKey, to);
  }

  responseStarted(request: PluginRequest): void {
    const served = request.get(this.#servedKey);
    if (!served || !this.#endpoints.holds(served.slot, served.generation)) return;
    request.setResponseHeader(this.#header, encodedId(this.#endpoints, served.slot));
  }
}

const encodedId = (endpoints: Endpoints, slot: number): string => toBase64(bytesOf(endpoints.description[slot].id));

/** The endpoint id in a token; undefined when it is none. */
function idOf(token: string): string | undefined {
  try {
    return textOf(fromBase64(token));
  } catch {
    return undefined;
  }
}
