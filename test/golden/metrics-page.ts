/** Names of families whose values are times: only their counts are told by the recordings. */
const SECONDS = /(_seconds|_milliseconds)_sum$/;
const OWN = /^(inference_|llm_d_)/;
/** Left out by the recordings: durations of plugins, gauges that follow a clock. */
const LEFT_OUT =
  /plugin_duration_seconds|_bucket$|average_|std_dev_|ready_(pods|endpoints)|per_(pod|endpoint)_|indexer_size|_(poll|extract)_errors_total|_info$/;

/** Samples of a metrics page in the recordings' form: `name{labels in order}` to value. */
export function samplesOf(page: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  for (const line of page.split("\n")) {
    const match = /^([a-z_][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line);
    if (!match) continue;
    const [, name, labels = "", value] = match;
    if (!OWN.test(name) || LEFT_OUT.test(name) || SECONDS.test(name)) continue;
    const sorted = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([pair]) => pair).toSorted();
    samples.set(sorted.length > 0 ? `${name}{${sorted.join(",")}}` : name, Number(value));
  }
  return samples;
}
