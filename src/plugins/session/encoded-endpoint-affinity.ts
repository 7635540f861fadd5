import { toBase64 } from "../../core/base64.ts";
import type { Candidates } from "../../core/candidates.ts";
import { dataKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PickResult, PluginRequest, ReservedTarget } from "../../core/plugin.ts";
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
    const token = request.header(this.#header);
    if (!token) return -1;
    for (let i = 0; i < count; i++) if (encodedId(this.#endpoints, slots[i]) === token) return i;
    return -1;
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

const encodedId = (endpoints: Endpoints, slot: number): string =>
  toBase64(Uint8Array.from(endpoints.description[slot].id, (char) => char.charCodeAt(0)));
