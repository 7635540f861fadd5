import type { Registry } from "prom-client";
import type { Core } from "../core/core.ts";
import type { Decision } from "../core/decision.ts";
import type { Env, ProbePoint } from "../core/env.ts";
import type { Notice } from "../core/notices.ts";
import { createLabelLimit } from "./label-limit.ts";
import { SCHEDULER_FAMILIES } from "./stock-families.ts";
import { TwinFamily, type TwinRow } from "./twin-family.ts";

/** Measures what the core does between a request's arrival and its decision. */
export interface SchedulerMetrics {
  /** To be the core's `Env.probe`. */
  readonly probe: NonNullable<Env["probe"]>;
  /** Takes a notice of the core, within the step that made it or right after. */
  observe(notice: Notice, core: Core): void;
}

/**
 * Attempts of the scheduler, its time and that of each plugin (stock: metrics/metrics.go). A run goes from the profile
 * handler's first word to its last. Plugins are named by what the current plan calls them.
 * @param nowSeconds a clock that never goes back
 * @param named name and type of what a probe calls by its name, or a parser by its type
 */
export function createSchedulerMetrics(
  registry: Registry,
  nowSeconds: () => number,
  named: (plugin: string) => { readonly name: string; readonly type: string },
): SchedulerMetrics {
  const attempts = new TwinFamily(SCHEDULER_FAMILIES.attempts, registry);
  const seconds = new TwinFamily(SCHEDULER_FAMILIES.seconds, registry);
  const pluginSeconds = new TwinFamily(SCHEDULER_FAMILIES.pluginSeconds, registry);
  const model = createLabelLimit();
  const rows = new Map<string, TwinRow>();
  /** Made by the first run: until then it is not on the page, as stock. */
  let runRow: TwinRow | undefined;
  let beganAt = 0;
  /** True between a call's beginning and its end, which never comes where the plugin throws. */
  let isCalling = false;
  let runBeganAt = -1;

  const rowOf = (point: ProbePoint, plugin: string): TwinRow => {
    const key = `${point}/${plugin}`;
    const known = rows.get(key);
    if (known) return known;
    const { name, type } = named(plugin);
    const row = pluginSeconds.row(point, type, name);
    rows.set(key, row);
    return row;
  };

  return {
    probe(point, plugin, edge) {
      const now = nowSeconds();
      if (edge === "begin") {
        // The run in which a plugin threw is over.
        if (isCalling) runBeganAt = -1;
        isCalling = true;
        beganAt = now;
        if (point === "ProfilePicker" && runBeganAt < 0) runBeganAt = now;
        return;
      }
      isCalling = false;
      rowOf(point, plugin).observe(now - beganAt);
      if (point !== "ProcessProfilesResults") return;
      runRow ??= seconds.row();
      runRow.observe(now - runBeganAt);
      runBeganAt = -1;
    },
    observe(notice, core) {
      if (notice.type !== "decision") return;
      runBeganAt = -1;
      const labels = attemptOf(notice.decision, core);
      if (labels) attempts.row(labels.status, model(notice.decision.targetModel), ...labels.endpoint).add();
    },
  };
}

/** How the scheduler's run ended, and whose pick it was; undefined when it did not run. */
function attemptOf(decision: Decision, core: Core) {
  const reasons = decision.facts.bodyless ? undefined : decision.record();
  if (!reasons || reasons.runs === 0) return undefined;
  const run = reasons.profiles[reasons.primary];
  const id = run && run.pickCount > 0 ? reasons.ids[run.rows[run.picks[0]]] : undefined;
  if (id === undefined) return { status: "failure", endpoint: ["", "", ""] };
  const slot = core.endpoints.slotOf(id);
  if (slot < 0) return { status: "success", endpoint: ["", "", ""] };
  const { name, namespace, port } = core.endpoints.description[slot];
  return { status: "success", endpoint: [name, namespace, String(port)] };
}
