import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { Pod } from "../../src/simulator/pods/pod.ts";
import { writeEndpointsFile } from "../../src/simulator/pods/start-pods.ts";
import { series } from "../../src/simulator/test-support/disaggregated-pods.ts";
import { Disaggregated, MODEL } from "../support/disaggregated-stack.ts";
import { ALWAYS, ENCODE, KSERVE_225, KSERVE_35, PREFIX_BASED } from "../support/disaggregation-configs.ts";
import { describeWithEnvoy } from "../support/envoy.ts";

const WORDS = "tide and table of the harbour ".repeat(20);

/** Waits until the picker has read a pod's metrics twice from now on: the first may have begun before. */
async function untilScraped(pod: Pod): Promise<void> {
  const answers = (): Promise<number> => series(pod, "http_requests_total", 'handler="/metrics"');
  const before = await answers();
  let own = 0;
  await expect.poll(async () => (await answers()) - before - ++own, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
}

const textOf = (body: string): string => (JSON.parse(body) as { choices: { text: string }[] }).choices[0].text;
const cachedOf = (body: string): number =>
  (JSON.parse(body) as { usage: { prompt_tokens_details: { cached_tokens: number } } }).usage.prompt_tokens_details
    .cached_tokens;

describeWithEnvoy("prefill and decode on pods of their own, through a real Envoy", () => {
  it("the prompt is computed on a prefill pod, its KV fetched by the decode pod, the answer right, streamed and not", async () => {
    const pd = await Disaggregated.start(KSERVE_35);
    const [decode] = pd.podsOf("decode");
    for (let i = 0; i < 6; i++) {
      const prompt = `${i} ${WORDS}`;
      const alone = await fetch(`http://${decode.host}:${decode.enginePort}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ prompt, max_tokens: 30, ignore_eos: true, cache_salt: "alone" }),
      });
      const computedBefore = pd.computed("decode");
      const answer = await pd.send({ prompt });
      expect([answer.status, textOf(answer.text)]).toEqual([200, textOf(await alone.text())]);
      expect(answer.by).toMatch(/^pod-decode-\d$/);
      expect(cachedOf(answer.text)).toBe(0);
      // The last token of the prompt, for the first of the answer.
      expect(pd.computed("decode") - computedBefore).toBe(1);
    }
    const streamed = await pd.send({
      messages: [{ role: "user", content: WORDS }],
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(streamed.text).toContain("data: [DONE]");
    expect(streamed.text).toContain('"cached_tokens":0');
    expect(await pd.decisions("prefill-decode")).toBe(7);
    expect(
      await pd.stack.metric(
        `llm_d_inference_scheduler_disagg_decision_total{model_name="${MODEL}",decision_type="prefill-decode"}`,
      ),
    ).toBe(7);
    expect(await pd.sidecars()).toMatchObject({ disaggregated: 7, degraded: 0, decodeOnly: 0 });
    const fetched = await Promise.all(pd.podsOf("decode").map((pod) => pd.transfers(pod)));
    expect(fetched.reduce((sum, { fetches }) => sum + fetches.fetched, 0)).toBe(7);
    expect(fetched.every(({ fetches }) => fetches.failed === 0)).toBe(true);
    await pd.untilQuiet();
  });

  it("the pod that was picked for prefill computes it, not another", async () => {
    // One seat each: two answers that never end leave one request in the queue of the first prefill pod.
    const pd = await Disaggregated.start(KSERVE_35, {
      timeScale: 1,
      engine: { seqsMax: 1, stepTime: { aUs: 0, bUs: 0, qUs: 0, cUs: 20_000, dUs: 0 } },
    });
    const busy = pd.pod("pod-prefill-0");
    const abort = new AbortController();
    const long = [1, 2].map(() =>
      fetch(`${busy.url}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ prompt: "x", max_tokens: 20_000, ignore_eos: true, stream: true }),
        signal: abort.signal,
      })
        .then((response) => response.text())
        .catch(() => undefined),
    );
    await expect.poll(() => busy.signals().waitingRequests).toBe(1);
    await untilScraped(busy);
    const before = busy.signals().promptTokens;
    for (let i = 0; i < 5; i++) expect((await pd.send({ prompt: `${i} ${WORDS}`, max_tokens: 2 })).status).toBe(200);
    expect((await pd.transfers(pd.pod("pod-prefill-1"))).holds.released).toBe(5);
    expect((await pd.transfers(busy)).holds.released).toBe(0);
    expect(busy.signals().promptTokens).toBe(before);
    abort.abort();
    await Promise.all(long);
    await pd.untilQuiet();
  });

  it("a prompt that the decode pod has is not sent to a prefill pod again, with the prefix-based decider", async () => {
    const pd = await Disaggregated.start(PREFIX_BASED);
    const first = await pd.send({ prompt: WORDS });
    const second = await pd.send({ prompt: WORDS });
    expect([first.status, second.status, second.by]).toEqual([200, 200, first.by]);
    expect(textOf(second.text)).toBe(textOf(first.text));
    expect(cachedOf(second.text)).toBeGreaterThan(0);
    // Shorter than what is worth it.
    expect((await pd.send({ prompt: "short" })).status).toBe(200);
    expect([await pd.decisions("prefill-decode"), await pd.decisions("decode-only")]).toEqual([1, 2]);
    expect(await pd.sidecars()).toMatchObject({ disaggregated: 1, decodeOnly: 2, degraded: 0 });
    await pd.untilQuiet();
  });

  it("always, with the other decider, though less is fetched the second time", async () => {
    const pd = await Disaggregated.start(KSERVE_35);
    const first = await pd.send({ prompt: WORDS });
    const second = await pd.send({ prompt: WORDS });
    expect(second.by).toBe(first.by);
    expect([await pd.decisions("prefill-decode"), await pd.decisions("decode-only")]).toEqual([2, 0]);
    const { cachedPromptTokens, fetchedPromptTokens } = pd.pod(first.by!).signals();
    expect(cachedPromptTokens).toBeGreaterThan(0);
    expect(fetchedPromptTokens).toBeGreaterThan(cachedPromptTokens);
    await pd.untilQuiet();
  });

  it("a prefill pod that dies costs no request: its prompts are computed where they are decoded", async () => {
    const pd = await Disaggregated.start(KSERVE_35, { timeScale: 0.02, roles: { prefill: 1, decode: 2 } });
    const statuses: number[] = [];
    const texts = new Set<string>();
    const load = { until: Number.POSITIVE_INFINITY };
    const client = async (n: number): Promise<void> => {
      for (let i = 0; i < load.until; i++) {
        const answer = await pd.send({ prompt: `${n % 2} ${WORDS}`, cache_salt: `${n} ${i}` });
        statuses.push(answer.status);
        if (answer.status === 200) texts.add(textOf(answer.text));
      }
    };
    const clients = Array.from({ length: 6 }, (_, n) => client(n));
    await expect.poll(async () => (await pd.sidecars()).disaggregated, { timeout: 10_000 }).toBeGreaterThan(6);
    await pd.pod("pod-prefill-0").stopListening();
    await expect.poll(async () => (await pd.sidecars()).degraded, { timeout: 10_000 }).toBeGreaterThan(6);
    await pd.pod("pod-prefill-0").listen();
    const back = (await pd.sidecars()).disaggregated;
    await expect.poll(async () => (await pd.sidecars()).disaggregated, { timeout: 10_000 }).toBeGreaterThan(back + 6);
    load.until = 0;
    await Promise.all(clients);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    // Two prompts, two answers, whoever computed them.
    expect(texts.size).toBe(2);
    expect((await pd.sidecars()).failed).toBe(0);
    await pd.stack.untilQuiet();
    for (const pod of pd.podsOf("decode")) expect(pod.signals().freeBlocks).toBe(pod.signals().usableBlocks);
  });

  it("without any prefill pod the picker itself decides for decode alone; without any decode pod it refuses", async () => {
    const pd = await Disaggregated.start(KSERVE_35, {}, { watchFile: true });
    await writeEndpointsFile(pd.stack.endpointsFile, pd.podsOf("decode"));
    await expect.poll(() => pd.stack.metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 10_000 }).toBe(2);
    // A prefill pod of the client's own choice is none.
    expect((await pd.send({ prompt: WORDS }, { "x-prefiller-host-port": "127.0.0.1:1" })).status).toBe(200);
    expect([await pd.decisions("prefill-decode"), await pd.decisions("decode-only")]).toEqual([0, 1]);
    expect(await pd.sidecars()).toMatchObject({ decodeOnly: 1, disaggregated: 0, degraded: 0 });
    await writeEndpointsFile(pd.stack.endpointsFile, pd.podsOf("prefill"));
    await expect.poll(async () => (await pd.send({ prompt: WORDS })).status, { timeout: 10_000 }).toBe(429);
    writeFileSync(pd.stack.endpointsFile, "endpoints: []\n");
    await pd.untilQuiet();
  });

  it("a client does not choose the prefill pod: the picker's header takes the place of its own", async () => {
    const pd = await Disaggregated.start(KSERVE_35);
    const forged = { "x-prefiller-host-port": "127.0.0.1:1" };
    expect((await pd.send({ prompt: WORDS }, forged)).status).toBe(200);
    expect(await pd.sidecars()).toMatchObject({ disaggregated: 1, degraded: 0 });
    await pd.untilQuiet();
  });

  it("clients that go away, in the prefill, the transfer or the answer, leave nothing held anywhere", async () => {
    const pd = await Disaggregated.start(KSERVE_35, {
      timeScale: 1,
      engine: { stepTime: { aUs: 5000, bUs: 200, qUs: 0, cUs: 0, dUs: 0 } },
      // An answer about held blocks that was on its way when its client left is one that no one fetches.
      kvTransfer: { latencyUs: 60_000, holdUsMax: 2_000_000 },
    });
    const stage = (role: string, signal: "runningRequests" | "fetchingRequests") => (): boolean =>
      pd.podsOf(role).some((pod) => pod.signals()[signal] > 0);
    const stages = [
      stage("prefill", "runningRequests"),
      stage("decode", "fetchingRequests"),
      stage("decode", "runningRequests"),
    ];
    for (const [i, reached] of stages.entries()) {
      const abort = new AbortController();
      const answer = fetch(`${pd.stack.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model: MODEL,
          prompt: `${i} ${WORDS}`,
          max_tokens: 400,
          ignore_eos: true,
          stream: true,
        }),
        signal: abort.signal,
      })
        .then((response) => response.text())
        .catch(() => "gone");
      while (!reached()) await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      expect(await answer).toBe("gone");
      await pd.untilQuiet();
    }
  });

  it("pictures are encoded on pods of their own, and only where there are some", async () => {
    const pd = await Disaggregated.start(ENCODE, { roles: { encode: 1, prefill: 1, decode: 1 } });
    const [decode] = pd.podsOf("decode");
    const picture = { type: "image_url", image_url: { url: "http://pictures.example/harbour.png" } };
    const ask = (text: string): object => ({
      messages: [{ role: "user", content: [{ type: "text", text }, picture] }],
    });
    const alone = await fetch(`http://${decode.host}:${decode.enginePort}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ ...ask(WORDS), max_tokens: 30, ignore_eos: true, cache_salt: "alone" }),
    });
    const answer = await pd.send(ask(WORDS));
    const { choices } = JSON.parse(await alone.text()) as { choices: unknown };
    expect([answer.status, (JSON.parse(answer.text) as { choices: unknown }).choices]).toEqual([200, choices]);
    expect(await pd.decisions("encode-prefill-decode")).toBe(1);
    expect(await pd.sidecars()).toMatchObject({ encodedItems: 1, disaggregated: 1, degraded: 0 });
    expect(pd.podsOf("encode")[0].signals().promptTokens).toBe(1);
    // The decode pod has it all by now: encoded again, if need be, but not prefilled elsewhere.
    expect((await pd.send(ask(WORDS))).status).toBe(200);
    expect(await pd.decisions("encode-decode")).toBe(1);
    expect((await pd.send({ messages: [{ role: "user", content: "short" }] })).status).toBe(200);
    expect(await pd.decisions("decode-only")).toBe(1);
    expect((await pd.sidecars()).encodedItems).toBe(2);
    await pd.untilQuiet();
  });

  it.each(ALWAYS)("a config of %s sends prompts to a prefill pod, and the answer is right", async (_, config) => {
    const pd = await Disaggregated.start(config);
    const [decode] = pd.podsOf("decode");
    const alone = await fetch(`http://${decode.host}:${decode.enginePort}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ prompt: "short", max_tokens: 30, ignore_eos: true, cache_salt: "alone" }),
    });
    const answer = await pd.send({ prompt: "short" });
    expect([answer.status, textOf(answer.text)]).toEqual([200, textOf(await alone.text())]);
    expect(await pd.sidecars()).toMatchObject({ disaggregated: 1, degraded: 0 });
    const families = ["llm_d_epp_disagg_decision_total", "llm_d_epp_pd_decision_total"];
    const decisions = await Promise.all(families.map((family) => pd.decisions("prefill-decode", family)));
    expect(decisions[0] + decisions[1]).toBe(1);
    await expect.poll(() => pd.stack.metric("warmpath_requests_in_flight")).toBe(0);
  });

  it("configs of RHOAI 2.25 work as they did: prompts from 100 uncached bytes on are disaggregated", async () => {
    const pd = await Disaggregated.start(KSERVE_225);
    expect((await pd.send({ prompt: "short" })).status).toBe(200);
    const long = await pd.send({ prompt: WORDS });
    const again = await pd.send({ prompt: WORDS });
    expect([long.status, again.status, textOf(again.text)]).toEqual([200, 200, textOf(long.text)]);
    const family = "llm_d_epp_pd_decision_total";
    expect([await pd.decisions("prefill-decode", family), await pd.decisions("decode-only", family)]).toEqual([1, 2]);
    expect(await pd.sidecars()).toMatchObject({ disaggregated: 1, decodeOnly: 2, degraded: 0 });
    await expect.poll(() => pd.stack.metric("warmpath_requests_in_flight")).toBe(0);
  });
});
