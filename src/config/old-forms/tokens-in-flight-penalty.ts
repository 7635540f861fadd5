import { childOf } from "../config-node.ts";
import { mapOf, numberUnder, ofPlugins, inPlace, textUnder, withEntry, withoutEntry } from "./old-form.ts";

const OLD = "maxTokensInFlightPenalty";
const MS_PER_SECOND = 1000;

/**
 * `maxTokensInFlightPenalty` of prefix-cache-affinity-filter, as newer guides write it: how many more tokens in flight
 * the best endpoint that holds the prefix may have. The recorded release has only a time for it, tokens /
 * peakPrefillThroughput x 1000: at 1000 tokens a second a millisecond is a token, so the two are equal. A limit in time
 * beside it has no equal and stays an unknown parameter.
 */
export const tokensInFlightPenalty = ofPlugins(["prefix-cache-affinity-filter"], (plugin, path, problems) => {
  const parameters = childOf(plugin, "parameters");
  const tokens = numberUnder(parameters, OLD);
  if (parameters?.kind !== "map" || tokens === undefined) return plugin;
  const keyPlace = parameters.entries.find(({ key }) => key === OLD)!.keyPlace;
  const where = [...path, "parameters", OLD];
  const timed = numberUnder(parameters, "maxTTFTPenaltyMs") ?? 0;
  if (timed > 0 || textUnder(parameters, "ttftSource") === "latencyPredictor") {
    problems.at(keyPlace, where, `found ${OLD} with a limit in time, expected one of them: nothing here weighs both`);
    return inPlace(plugin, "parameters", withoutEntry(parameters, OLD));
  }
  problems.old(
    keyPlace,
    where,
    `a newer parameter, taken as maxTTFTPenaltyMs ${tokens} at peakPrefillThroughput ${MS_PER_SECOND}, which is the same`,
  );
  const values = mapOf({ maxTTFTPenaltyMs: tokens, peakPrefillThroughput: MS_PER_SECOND }, keyPlace);
  let given = withoutEntry(parameters, OLD);
  for (const { key, value } of values.entries) given = withEntry(given, key, value);
  return inPlace(plugin, "parameters", given);
});
