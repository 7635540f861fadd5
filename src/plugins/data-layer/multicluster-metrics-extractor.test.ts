import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMulticlusterMetricsExtractor, multiclusterMetricsExtractor } from "./multicluster-metrics-extractor.ts";

const KV = "llm-d.ai/multicluster-kv-cache-utilization";
const QUEUE = "llm-d.ai/multicluster-queue-size";
const OWNER = { name: "east", labels: {} };

/** What the picker of a cluster tells of its pool. */
const clusterPage = (kv: string, queue: string, labels = '{name="pool"}') =>
  "# HELP llm_d_epp_average_kv_cache_utilization The average kv cache utilization for an inference server pool.\n" +
  `# TYPE llm_d_epp_average_kv_cache_utilization gauge\nllm_d_epp_average_kv_cache_utilization${labels} ${kv}\n` +
  "# HELP llm_d_epp_average_queue_size The average number of requests pending in the model server queue.\n" +
  `# TYPE llm_d_epp_average_queue_size gauge\nllm_d_epp_average_queue_size${labels} ${queue}\n`;

const extract = (page: string, params: object = {}) =>
  createMulticlusterMetricsExtractor(params).extract(new TextEncoder().encode(page), OWNER);

describe("multicluster-metrics-extractor", () => {
  it("reads a cluster's averages as they are, and leaves the time of pods' signals alone", () => {
    expect(extract(clusterPage("0.62", "4.25"))).toEqual({
      row: { attributes: { [KV]: 0.62, [QUEUE]: 4.25 }, aside: true },
      errors: [],
    });
  });

  it("reads the series that the config names", () => {
    const page = `${clusterPage("0.1", "1", '{name="a"}')}llm_d_epp_average_queue_size{name="b"} 9\n`;
    const params = { queueSizeMetric: 'llm_d_epp_average_queue_size{name="b"}', kvCacheUtilizationMetric: "" };
    expect(extract(page, params)).toMatchObject({ row: { attributes: { [KV]: 0.1, [QUEUE]: 9 } } });
  });

  it.each([
    ["NaN", "3", { [QUEUE]: 3 }, /^Cannot use NaN/],
    ["0.5", "+Inf", { [KV]: 0.5 }, /^Cannot use Infinity/],
  ])("takes the other one where one is no number: KV use %s, queue %s", (kv, queue, attributes, error) => {
    expect(extract(clusterPage(kv, queue))).toEqual({
      row: { attributes, aside: true },
      errors: [expect.stringMatching(error)],
    });
  });

  it("takes negative ones as they are, as stock", () => {
    expect(extract(clusterPage("-1", "-2"))).toMatchObject({ row: { attributes: { [KV]: -1, [QUEUE]: -2 } } });
  });

  it("tells what a page lacks, and changes nothing when it has neither", () => {
    expect(extract("# TYPE a gauge\na 1\n")).toEqual({
      errors: [expect.stringMatching(/no family/), expect.stringMatching(/no family/)],
    });
    expect(extract(clusterPage("1", "1"), { queueSizeMetric: "llm_d_epp_average_queue_size{name=x}" })).toMatchObject({
      row: { attributes: { [KV]: 1 } },
      errors: [expect.stringMatching(/llm_d_epp_average_queue_size\{name=x\}: the page has no series/)],
    });
  });

  it("gives finite numbers, an error or a refusal for any bytes", () => {
    const numbers = fc.oneof(fc.double().map(String), fc.string());
    fc.assert(
      fc.property(numbers, numbers, (kv, queue) => {
        const result = extract(clusterPage(kv, queue));
        if ("failed" in result) return;
        expect(Object.values(result.row?.attributes ?? {}).every(Number.isFinite)).toBe(true);
      }),
    );
  });

  it("produces fixed keys, so that scorers find them whatever its own name is", () => {
    const ids = multiclusterMetricsExtractor.data!({}, "mine").produces!.map(({ id }) => id);
    expect(ids).toEqual([`${KV}/multicluster-metrics-extractor`, `${QUEUE}/multicluster-metrics-extractor`]);
  });

  it("refuses what is no metric specification", () => {
    const { error } = multiclusterMetricsExtractor.params.safeParse({ queueSizeMetric: "a{b" });
    expect(error?.issues.map(({ path }) => path.join("."))).toEqual(["queueSizeMetric"]);
  });
});
