import { PEER_ENDPOINT } from "../../core/data-key.ts";
import type { Profile } from "../../core/plan.ts";
import type { PluginInstance, PrimaryResult, ProfileResult } from "../../core/plugin.ts";
import type { Rejection } from "../../core/rejection.ts";
import { FILTERED_OUT } from "../../core/rejection.ts";
import type { RequestState } from "../../core/request-state.ts";

/** What a profile's run comes to: the rows that it picks, or nothing as all candidates are filtered out. */
export type StageOutcome = readonly number[] | "filtered-out";

export interface Staged {
  /** Profiles in the order in which they ran; `name<slot` when there was a peer endpoint then. */
  readonly ran: readonly string[];
  readonly outcome: PrimaryResult | Rejection;
  /** Name of the primary profile; undefined when refused. */
  readonly primary: string | undefined;
}

/** Runs a profile handler as the scheduler does, over profiles whose runs come to what is said. */
export function runStages(
  handler: Required<PluginInstance>,
  request: RequestState,
  outcomes: Readonly<Record<string, StageOutcome>>,
): Staged {
  const profiles = Object.keys(outcomes).map((name) => ({ name }) as Profile);
  const results: (ProfileResult | undefined)[] = profiles.map(() => undefined);
  const ran: string[] = [];
  for (;;) {
    const wanted = handler.nextProfiles(request, profiles, results);
    if (wanted.length === 0) break;
    if (ran.length > profiles.length) throw new Error(`Cannot end: ran ${ran.join(", ")}`);
    for (const index of wanted) {
      const { name } = profiles[index];
      const peer = request.get(PEER_ENDPOINT);
      ran.push(peer ? `${name}<${peer.slot}` : name);
      const rows = outcomes[name];
      results[index] =
        rows === "filtered-out"
          ? { ok: false, rejection: FILTERED_OUT }
          : { ok: true, rows, slots: rows.map((row) => request.table.slots[row]) };
    }
  }
  const outcome = handler.finish(request, profiles, results);
  return { ran, outcome, primary: "primary" in outcome ? profiles[outcome.primary].name : undefined };
}
