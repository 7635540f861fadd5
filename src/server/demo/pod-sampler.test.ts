import { describe, expect, it, onTestFinished } from "vitest";
import { startPods } from "../../simulator/pods/start-pods.ts";
import { hitRateOf, PodSampler, sumOf } from "./pod-sampler.ts";

describe("looking at pods", () => {
  it("adds up the series of a family, and of no other", () => {
    const page = `# HELP a_total text\na_total{x="1"} 2\na_total{x="} 9"} 3.5e1 1700000000\na_total_more 100\nb 7\n`;
    expect([sumOf(page, "a_total"), sumOf(page, "b")]).toEqual([37, 7]);
    expect(() => sumOf(page, "c")).toThrow("Cannot read metrics: the page has no c");
  });

  it("agrees with the engine's own counters, from the zero that was set", async () => {
    const fleet = await startPods({ count: 2, timeScale: 0 });
    const sampler = new PodSampler(fleet.pods);
    onTestFinished(async () => {
      await sampler.close();
      await fleet.stop();
    });
    const [pod] = fleet.pods;
    const ask = () =>
      fetch(`${pod.url}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ prompt: "once upon a time ".repeat(50), max_tokens: 3 }),
      }).then((answer) => answer.text());
    await ask();
    const first = await sampler.look();
    const { prefixQueriesTokens, prefixHitsTokens } = pod.signals();
    expect(first[0]).toMatchObject({
      pod: "pod-0",
      queriesTokens: prefixQueriesTokens,
      hitsTokens: prefixHitsTokens,
      requests: 1,
    });
    expect(hitRateOf(first)).toBe(0);
    await sampler.zero();
    await ask();
    const second = await sampler.look();
    expect(second.map(({ requests }) => requests)).toEqual([1, 0]);
    expect(hitRateOf(second)).toBeGreaterThan(0.9);
    expect(hitRateOf([second[1]])).toBe(0);
  });

  it("goes on when a pod does not answer for a while", async () => {
    const fleet = await startPods({ count: 1, timeScale: 0 });
    const sampler = new PodSampler(fleet.pods);
    onTestFinished(async () => {
      await sampler.close();
      await fleet.stop();
    });
    await fleet.pods[0].stopListening();
    await expect(sampler.look()).rejects.toThrow();
    const stop = new AbortController();
    const seen = new Promise<void>((resolve) => {
      void sampler.watch(1, stop.signal, () => resolve());
    });
    await fleet.pods[0].listen();
    await seen;
    stop.abort();
  });
});
