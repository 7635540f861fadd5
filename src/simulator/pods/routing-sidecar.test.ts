import { request as httpRequest } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { HttpPod } from "../../../test/support/http-pod.ts";
import { countsOf, postDisaggregated, startDisaggregatedPods, targetOf } from "../test-support/disaggregated-pods.ts";
import { FROZEN_STEP, get, post, until, withTakenPort } from "../test-support/small-pod.ts";
import { RoutingSidecar, SIDECAR_DEFAULTS, type SidecarSettings } from "./routing-sidecar.ts";

const BODY = {
  model: "tiny-llama",
  prompt: "tide and table of the harbour ".repeat(20),
  max_tokens: 20,
  ignore_eos: true,
};

/** A side-car alone. */
async function startSidecar(
  settings: Partial<SidecarSettings> & { engineUrl: string },
): Promise<{ url: string; sidecar: RoutingSidecar }> {
  const sidecar = new RoutingSidecar({ ...SIDECAR_DEFAULTS, bodyBytesMax: 10_000, connectionsMax: 100, ...settings });
  const port = await sidecar.listen("127.0.0.1", 0);
  onTestFinished(() => sidecar.stop());
  return { url: `http://127.0.0.1:${port}`, sidecar };
}

async function startHttpPod(body: string): Promise<HttpPod> {
  const pod = await HttpPod.start((_, response) => response.end(body));
  onTestFinished(() => pod.stop());
  return pod;
}

describe("what goes over the wire", () => {
  it("is a request for one token to the prefill pod, then the client's to the engine, without routing headers", async () => {
    const prefill = await startHttpPod('{"kv_transfer_params": {"remote_block_ids": [[1, 2]]}}');
    const engine = await startHttpPod("{}");
    const { url } = await startSidecar({ engineUrl: `http://${engine.target}` });
    const answer = await fetch(`${url}/v1/completions?a=1`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-prefiller-host-port": `${prefill.target},10.0.0.1:1`,
        "x-encoder-hosts-ports": "10.0.0.1:1",
        "x-request-id": "asked",
        "x-mine": "kept",
      },
      body: JSON.stringify({ prompt: "x", stream: true }),
    });
    expect(answer.status).toBe(200);
    const [atPrefill, atEngine] = [prefill.requests, engine.requests].map((requests) => requests[0]);
    expect([prefill.requests.length, engine.requests.length]).toEqual([1, 1]);
    for (const { headers, path } of [atPrefill, atEngine]) {
      expect(path).toBe("/v1/completions?a=1");
      expect(headers).toMatchObject({ "x-request-id": "asked", "x-mine": "kept", "content-type": "application/json" });
      expect(headers).not.toHaveProperty("x-prefiller-host-port");
      expect(headers).not.toHaveProperty("x-encoder-hosts-ports");
    }
    expect(JSON.parse(atPrefill.body.toString())).toMatchObject({
      max_tokens: 1,
      stream: false,
      kv_transfer_params: { do_remote_decode: true },
    });
    expect(JSON.parse(atEngine.body.toString())).toEqual({
      prompt: "x",
      stream: true,
      kv_transfer_params: { remote_block_ids: [[1, 2]] },
    });
  });

  it("has one request id on both ways when the client gave none", async () => {
    const prefill = await startHttpPod("{}");
    const engine = await startHttpPod("{}");
    const { url } = await startSidecar({ engineUrl: `http://${engine.target}` });
    const headers = { "x-prefiller-host-port": prefill.target };
    await fetch(`${url}/v1/completions`, { method: "POST", headers, body: "{}" });
    const ids = [prefill.requests[0].headers["x-request-id"], engine.requests[0].headers["x-request-id"]];
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(ids[1]).toBe(ids[0]);
  });

  it("is the request as it is, byte for byte, when no prefill pod is named", async () => {
    const engine = await startHttpPod("{}");
    const { url, sidecar } = await startSidecar({ engineUrl: `http://${engine.target}`, bodyBytesMax: 10 });
    const body = '{ "prompt" : "x",\n "n": 1e2 }';
    await fetch(`${url}/v1/completions`, { method: "POST", body, headers: { "x-prefiller-host-port": "" } });
    expect(engine.requests[0].body.toString()).toBe(body);
    expect(engine.requests[0].headers).toMatchObject({ "content-length": String(body.length) });
    expect(sidecar.counts).toMatchObject({ decodeOnly: 1 });
  });
});

describe("a prefill pod that fails", () => {
  it("is done without: the decode pod computes the prompt, and no request is lost", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ sidecar: { prefillMsMax: 200 } });
    const alone = (await post(decode, "/v1/completions", BODY)).text;
    const answers: string[] = [];
    const send = async (target = targetOf(prefill)): Promise<void> => {
      const answer = await postDisaggregated(decode, target, "/v1/completions", BODY);
      expect(answer.status).toBe(200);
      answers.push(answer.text);
    };
    for (const requests of ["error", "reset", "die", "hang"] as const) {
      prefill.faults = { requests };
      await send();
    }
    await prefill.stopListening();
    await send();
    await withTakenPort((port) => send(`127.0.0.1:${port}`));
    await send("not a target");
    const textOf = (text: string): string => (JSON.parse(text) as { choices: { text: string }[] }).choices[0].text;
    expect(answers.map(textOf)).toEqual(answers.map(() => textOf(alone)));
    expect(await countsOf(decode)).toMatchObject({
      sidecar: { degraded: 7, disaggregated: 0, failed: 0 },
      fetches: { fetched: 0, failed: 0 },
    });
  });

  it("fails the request where that is asked for", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ sidecar: { prefillFailure: "error" } });
    prefill.faults = { requests: "error" };
    expect((await postDisaggregated(decode, prefill, "/v1/completions", BODY)).status).toBe(500);
    await prefill.stopListening();
    const gone = await postDisaggregated(decode, prefill, "/v1/completions", BODY);
    expect([gone.status, gone.text]).toEqual([502, expect.stringContaining(`Cannot prefill at ${targetOf(prefill)}`)]);
    expect((await countsOf(decode)).sidecar).toMatchObject({ failed: 2, degraded: 0 });
  });

  it("dies after it has computed the prompt: the decode pod computes it again", async () => {
    // The prompt is computed at once, the transfer would take for ever.
    const { prefill, decode } = await startDisaggregatedPods();
    const held = JSON.parse(
      (
        await post(prefill, "/v1/completions", {
          ...BODY,
          max_tokens: 1,
          kv_transfer_params: { do_remote_decode: true },
        })
      ).text,
    ) as { kv_transfer_params: object };
    await prefill.stop();
    const answer = await post(decode, "/v1/completions", { ...BODY, kv_transfer_params: held.kv_transfer_params });
    expect(answer.status).toBe(200);
    expect((await countsOf(decode)).fetches).toMatchObject({ failed: 1 });
  });

  it("refuses the request: the client is told in its words", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    const answer = await postDisaggregated(decode, prefill, "/v1/completions", { ...BODY, model: "other" });
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining("The model `other` does not exist")]);
    expect((await countsOf(decode)).sidecar).toMatchObject({ failed: 1 });
  });
});

describe("a client", () => {
  it("that goes away during the prefill ends it there", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ timeScale: 1, engine: { stepTime: FROZEN_STEP } });
    const abort = new AbortController();
    const answer = fetch(`${decode.url}/v1/completions`, {
      method: "POST",
      headers: { "x-prefiller-host-port": targetOf(prefill) },
      body: JSON.stringify(BODY),
      signal: abort.signal,
    }).catch(() => "gone");
    await until(() => prefill.signals().runningRequests === 1);
    abort.abort();
    expect(await answer).toBe("gone");
    await until(() => prefill.signals().runningRequests === 0);
    expect(prefill.signals()).toMatchObject({ heldRequests: 0 });
    expect(decode.signals()).toMatchObject({ waitingRequests: 0, runningRequests: 0, promptTokens: 0 });
  });

  it("sees its stream break off when the engine's does", async () => {
    const { prefill, decode } = await startDisaggregatedPods();
    for (const headers of [{}, { "x-prefiller-host-port": targetOf(prefill) }]) {
      decode.faults = { requests: "die", dieAfterTokens: 4 };
      const response = await fetch(`${decode.url}/v1/completions`, {
        method: "POST",
        headers,
        body: JSON.stringify({ ...BODY, stream: true }),
      });
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow("terminated");
    }
  });

  it("that sends no JSON, or too much, is told", async () => {
    const { prefill, decode } = await startDisaggregatedPods({ bodyBytesMax: 1000 });
    expect((await postDisaggregated(decode, prefill, "/v1/completions", "{")).status).toBe(400);
    const long = { ...BODY, prompt: "x".repeat(2000) };
    expect((await postDisaggregated(decode, prefill, "/v1/completions", long)).status).toBe(413);
    expect((await postDisaggregated(decode, prefill, "/v1/completions", { ...BODY, prompt: "x" })).status).toBe(200);
  });
});

describe("everything else", () => {
  it("passes through: metrics, health, models, tokens, faults, unknown paths", async () => {
    const { decode } = await startDisaggregatedPods();
    expect((await get(decode, "/metrics")).text).toContain("vllm:num_requests_waiting");
    expect((await get(decode, "/health")).status).toBe(200);
    expect((await get(decode, "/v1/models")).text).toContain("tiny-llama");
    expect((await post(decode, "/tokenize", { prompt: "a b" })).text).toContain('"count":');
    expect((await get(decode, "/nowhere")).status).toBe(404);
    await post(decode, "/sim/faults", { health: "error" });
    expect((await get(decode, "/health")).status).toBe(503);
  });

  it("is answered 503 while the engine is not there, and served when it is back", async () => {
    const { decode } = await startDisaggregatedPods();
    const { url } = await startSidecar({ engineUrl: `http://127.0.0.1:${decode.enginePort}` });
    await decode.stopListening();
    expect((await fetch(`${url}/health`)).status).toBe(503);
    await decode.listen();
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await get(decode, "/health")).status).toBe(200);
  });

  it("closes both ports of the pod when it is told to refuse connections", async () => {
    const { decode } = await startDisaggregatedPods();
    await post(decode, "/sim/refuse", { forMs: 300 });
    const refused = (port: number): Promise<boolean> =>
      new Promise((resolve) => {
        httpRequest({ host: "127.0.0.1", port, path: "/health" }, (response) => (response.resume(), resolve(false)))
          .once("error", () => resolve(true))
          .end();
      });
    await until(async () => (await refused(decode.port)) && (await refused(decode.enginePort)));
    await until(async () => !(await refused(decode.port)) && !(await refused(decode.enginePort)));
  });
});

it("a pod that listens everywhere names the address at which it was reached", async () => {
  const { prefill, decode } = await startDisaggregatedPods({ host: "0.0.0.0" });
  const body = { ...BODY, max_tokens: 1, kv_transfer_params: { do_remote_decode: true } };
  const held = await fetch(`http://127.0.0.3:${prefill.port}/v1/completions`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  expect(await held.json()).toMatchObject({ kv_transfer_params: { remote_host: "127.0.0.3" } });
  const answer = await postDisaggregated(decode, `127.0.0.2:${prefill.port}`, "/v1/completions", BODY);
  expect(answer.status).toBe(200);
  expect((await countsOf(decode)).fetches).toMatchObject({ fetched: 1, failed: 0 });
});
