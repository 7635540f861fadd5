import type { Candidates } from "../../core/candidates.ts";
import { dataKey } from "../../core/data-key.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { Micros } from "../../core/env.ts";
import type { PickResult, PluginRequest } from "../../core/plugin.ts";
import { xxh64Text } from "../../core/xxh64.ts";
import type { Affinity } from "./affinity.ts";
import type { SessionAffinityParams } from "./session-affinity-params.ts";
import { SESSION_ID_PRODUCER } from "./session-id-producer.ts";

/** Most sessions at once; beyond, the one that was idle the longest is forgotten. */
const SESSIONS_MAX = 262_144;
/** A longer id is remembered by its hash. */
const SESSION_ID_CHARS_MAX = 256;
const US_PER_SECOND = 1_000_000;

interface Session {
  /** Id of its endpoint. */
  readonly endpointId: string;
  readonly lastSeenUs: Micros;
}

/**
 * Affinity by the id of the session that a request names: the picker remembers which endpoint it had. A session moves
 * to another endpoint only when a request found its own gone from the candidates. Sessions that were idle for longer
 * than the time to live are forgotten at the sweeps, every `evictionSweepSeconds`; until then they count.
 */
export class SessionIdAffinity implements Affinity {
  readonly #endpoints: Endpoints;
  readonly #params: SessionAffinityParams["sessionIdConfig"];
  readonly #profileName: string;
  readonly #absentKey;
  /** By session id, the longest idle first. */
  readonly #sessions = new Map<string, Session>();
  #sweeps = 0;

  constructor(name: string, endpoints: Endpoints, { sessionIdConfig, profileName }: SessionAffinityParams) {
    this.#endpoints = endpoints;
    this.#params = sessionIdConfig;
    this.#profileName = profileName;
    this.#absentKey = dataKey<boolean>("SessionEndpointAbsent", name);
  }

  placeOf(request: PluginRequest, { count, slots }: Candidates): number {
    this.#sweep(request.nowUs);
    const session = this.#sessions.get(this.#idOf(request));
    if (!session) return -1;
    const slot = this.#endpoints.slotOf(session.endpointId);
    const place = slot < 0 ? -1 : slots.subarray(0, count).indexOf(slot);
    request.put(this.#absentKey, place < 0);
    return place;
  }

  preRequest(request: PluginRequest, { primary, targets }: PickResult): void {
    this.#sweep(request.nowUs);
    const id = this.#idOf(request);
    const profile = this.#profileName || primary;
    const target = targets.find((one) => one.profile === profile);
    if (id === "" || !target) return;
    const endpointId = this.#endpoints.description[target.slot].id;
    const session = this.#sessions.get(id);
    const binds = !session || session.endpointId === endpointId || request.get(this.#absentKey) === true;
    if (!binds) return;
    this.#sessions.delete(id);
    this.#sessions.set(id, { endpointId, lastSeenUs: request.nowUs });
    if (this.#sessions.size > SESSIONS_MAX) this.#sessions.delete(this.#sessions.keys().next().value!);
  }

  /** The first source that is there; "" when none is. */
  #idOf(request: PluginRequest): string {
    for (const { header, attribute, producer } of this.#params.sources) {
      const told =
        header === ""
          ? request.get(dataKey<string>(attribute, producer || SESSION_ID_PRODUCER))
          : request.header(header);
      const id = told?.trim();
      if (id) return id.length > SESSION_ID_CHARS_MAX ? `${id.length}/${xxh64Text(id).join("/")}` : id;
    }
    return "";
  }

  /** Does what the sweeps since the last call would have done. */
  #sweep(nowUs: Micros): void {
    const everyUs = Math.max(1, this.#params.evictionSweepSeconds * US_PER_SECOND);
    const sweeps = Math.floor(nowUs / everyUs);
    if (sweeps === this.#sweeps) return;
    this.#sweeps = sweeps;
    const keptFromUs = sweeps * everyUs - this.#params.evictionTtlSeconds * US_PER_SECOND;
    for (const [id, { lastSeenUs }] of this.#sessions) {
      if (lastSeenUs >= keptFromUs) return;
      this.#sessions.delete(id);
    }
  }
}
