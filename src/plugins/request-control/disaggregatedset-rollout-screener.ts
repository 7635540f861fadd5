import type { Candidates } from "../../core/candidates.ts";
import { dataKey } from "../../core/data-key.ts";
import { draw, drawName } from "../../core/draw.ts";
import type { Endpoints } from "../../core/endpoints.ts";
import type { PluginRequest, ReservedTarget } from "../../core/plugin.ts";
import { definePlugin } from "../define.ts";
import { parseLabelSelector } from "../filters/label-selector-text.ts";
import { labelOf } from "../label-of.ts";
import type { RevisionPod } from "./revision-shares.ts";
import { drawnRevision, revisionShares } from "./revision-shares.ts";
import type { RolloutParams } from "./rollout-params.ts";
import { rolloutParams } from "./rollout-params.ts";

/**
 * Keeps a request on one revision of a disaggregated deployment while it is rolled out, so that no prefill pod of one
 * revision works with a decode pod of another.
 *
 * A revision takes requests when each role of `requireRoles` has a pod of it. Without a strict header one such revision
 * is drawn by its share: `sum`: its pods in the roles / those of all such revisions; `max-role`: the same of one role
 * alone, that with the most pods (of equal ones the first). Strict headers then keep the endpoints whose label has their
 * value. `disabled`: only the headers count. The response tells each selector's label of the endpoint that served it.
 * When nothing is left, the answer is 503. Pods are the pool's endpoints that `scope` selects, ranks of one pod once.
 * Source: requestcontrol/screener/disaggregatedsetrollout.
 */
export const disaggregatedsetRolloutScreener = definePlugin(["screener", "requestControl"], {
  type: "disaggregatedset-rollout-screener",
  stability: "alpha",
  params: rolloutParams,
  headerNames: ({ headerSelectors }) => headerSelectors.map(({ headerName: name }) => name),
  example: `plugins:
  - type: disaggregatedset-rollout-screener
    parameters:
      scope:
        labelSelector: disaggregatedset.x-k8s.io/name=my-set
      headerSelectors:
        - name: revision
          headerName: x-disagg-revision
          labelKey: disaggregatedset.x-k8s.io/revision
          mode: strict
      revisionGating:
        mode: max-role
        requireRoles:
          values: [prefill, decode]
  - type: queue-scorer
`,
  create: (given, { name, seed, endpoints }) => {
    const { mode, requireRoles, revisionLabelKey } = given.revisionGating;
    const isGated = mode !== "disabled";
    const strict = given.headerSelectors.filter((selector) => selector.mode === "strict");
    const servedKey = dataKey<Labels>("RolloutServed", name);
    const labelsOf = ({ slot }: ReservedTarget): Labels => endpoints.description[slot].labels;
    const consumer = drawName(name);
    /** Undefined: to be measured anew, as the pool is another. */
    let shares: ReadonlyMap<string, number> | undefined;
    const poolChanged = (): void => void (shares = undefined);
    let unmatched = 0;
    /** Which revisions may serve a request: all that are complete, or one of them that is drawn. */
    const gate = (request: PluginRequest, candidates: Candidates, draws: boolean) => {
      shares ??= isGated ? revisionShares(podsOf(given, endpoints), requireRoles.values, mode) : new Map();
      const complete = shares;
      const u = draw(seed, request.facts.key, 0, consumer, consumer);
      const drawn = draws
        ? drawnRevision(complete, revisionsOf(candidates, endpoints, revisionLabelKey), u)
        : undefined;
      return (revision = "") => complete.has(revision) && (drawn === undefined || revision === drawn);
    };
    return {
      endpointAdded: poolChanged,
      endpointChanged: poolChanged,
      endpointRemoved: poolChanged,
      screen(request, candidates, keep) {
        const wanted = strict.flatMap(({ headerName: header, labelKey }) => {
          const value = request.header(header);
          return value ? [{ labelKey, value }] : [];
        });
        const takes = isGated ? gate(request, candidates, wanted.length === 0) : () => true;
        let open = 0;
        let kept = 0;
        for (let i = 0; i < candidates.count; i++) {
          const { labels } = endpoints.description[candidates.slots[i]];
          if (!takes(labelOf(labels, revisionLabelKey))) continue;
          open++;
          if (wanted.every(({ labelKey, value }) => labelOf(labels, labelKey) === value)) keep[kept++] = i;
        }
        if (open > 0 && kept === 0) unmatched++;
        return kept;
      },
      preRequest: (request, { targets }) => request.put(servedKey, labelsOf(targets[0])),
      // The core moves the destination and no other target.
      moved: (request, _from, to) => request.put(servedKey, labelsOf(to)),
      responseStarted(request) {
        const labels = request.get(servedKey) ?? {};
        for (const { headerName: header, labelKey } of given.headerSelectors) {
          const value = labelOf(labels, labelKey);
          if (value) request.setResponseHeader(header, value);
        }
      },
      gauges: () => ({ strict_header_no_match: unmatched }),
    };
  },
});

type Labels = Readonly<Record<string, string>>;

function revisionsOf({ count, slots }: Candidates, endpoints: Endpoints, labelKey: string): ReadonlySet<string> {
  const revisions = new Set<string>();
  for (let i = 0; i < count; i++) {
    const revision = labelOf(endpoints.description[slots[i]].labels, labelKey);
    if (revision) revisions.add(revision);
  }
  return revisions;
}

const RANK = /-rank-\d+$/;

/** The pool's pods in scope that name a revision and a role; ranks of one pod are one. */
function podsOf({ scope, revisionGating: gating }: RolloutParams, endpoints: Endpoints): Iterable<RevisionPod> {
  const selects = parseLabelSelector(scope.labelSelector);
  const pods = new Map<string, RevisionPod>();
  for (const slot of endpoints.slots()) {
    const { id, labels } = endpoints.description[slot];
    const revision = labelOf(labels, gating.revisionLabelKey);
    const role = labelOf(labels, gating.roleLabelKey);
    if (!revision || !role || typeof selects !== "function" || !selects(labels)) continue;
    pods.set(id.replace(RANK, ""), { revision, role });
  }
  return pods.values();
}
