import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request as startRequest, type IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NO_CANDIDATES } from "../../src/core/rejection.ts";
import { selfSignedTls } from "../../src/server/tls.ts";
import { describeWithEnvoy } from "../support/envoy.ts";
import {
  answerStreamed,
  answerWhole,
  ask,
  bodyOf,
  EVENTS,
  expectQuiet,
  LAST_EVENTS,
  PATHS,
  type Rig,
  startRig,
  stopRig,
  USAGE,
  USAGE_SEEN,
} from "../support/ext-proc-rig.ts";

describeWithEnvoy("ext_proc behind a real Envoy, FULL_DUPLEX_STREAMED", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(() => stopRig(rig));
  beforeEach(() => {
    rig.pod.answer = answerWhole;
    rig.picker.verdict = { target: rig.pod.target };
    rig.picker.responseHeaders = new Map();
    rig.picker.requests.length = 0;
    rig.pod.requests.length = 0;
  });
  afterEach(() => expectQuiet(rig));

  describe.each(["completions", "chat"] as const)("%s", (api) => {
    it.each([200, 62_000, 62_001, 2_000_000])(
      "routes a body of %i bytes unchanged, answer not streamed",
      async (bytes) => {
        const body = bodyOf(api, bytes, false);
        const answer = await ask(rig, body, { path: PATHS[api] });
        expect(answer).toMatchObject({ status: 200, headers: { "x-went-into-resp-headers": "true", "x-pod": "1" } });
        expect(JSON.parse(answer.body)).toMatchObject({ model: "m", usage: USAGE });
        const [got] = rig.pod.requests;
        expect(got.path).toBe(PATHS[api]);
        expect(got.body.equals(body)).toBe(true);
        const [{ facts, events, usage }] = rig.picker.requests;
        expect(facts).toMatchObject({ model: "m", stream: false, bodyBytes: bytes, parser: "openai-parser" });
        expect(events).toEqual(["started", "first byte", "ended natural"]);
        expect(usage).toEqual(USAGE_SEEN);
      },
    );

    it.each([200, 62_001, 2_000_000])("routes a body of %i bytes unchanged, answer streamed", async (bytes) => {
      rig.pod.answer = answerStreamed;
      const body = bodyOf(api, bytes, true);
      const answer = await ask(rig, body, { path: PATHS[api] });
      expect(answer.body).toBe([...EVENTS, ...LAST_EVENTS].join(""));
      expect(rig.pod.requests[0].body.equals(body)).toBe(true);
      expect(rig.picker.requests[0]).toMatchObject({ facts: { stream: true }, usage: USAGE_SEEN });
    });

    it("answers a body of 1 byte with 400 and says what is wrong", async () => {
      const answer = await ask(rig, Buffer.from("{"), { path: PATHS[api] });
      expect(answer.status).toBe(400);
      expect(answer.body).toMatch(/^inference error: BadRequest - error unmarshaling request bodyMap: /);
      expect(rig.pod.requests).toEqual([]);
    });
  });

  it("passes a streamed answer on event by event", async () => {
    let send: (text: string | undefined) => void = () => undefined;
    rig.pod.answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      send = (text) => void (text === undefined ? response.end() : response.write(text));
    };
    const request = startRequest({
      port: rig.envoy.port,
      host: "127.0.0.1",
      path: PATHS.chat,
      method: "POST",
      agent: false,
    });
    request.end(bodyOf("chat", 200, true));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    for (const event of EVENTS) {
      send(event);
      const [chunk] = (await once(response, "data")) as [Buffer];
      expect(chunk.toString()).toBe(event);
    }
    send(undefined);
    response.resume();
    await once(response, "end");
  });

  it("overrides a destination that the client names", async () => {
    const headers = { "x-gateway-destination-endpoint": "127.0.0.1:1" };
    expect((await ask(rig, bodyOf("chat", 200, false), { headers })).status).toBe(200);
    expect(rig.pod.requests[0].headers["x-gateway-destination-endpoint"]).toBe(rig.pod.target);
  });

  it("lets plugins set and take away headers, both ways", async () => {
    const headers = new Map([
      ["x-added", "1"],
      ["x-request-id", "other"],
    ]);
    rig.picker.verdict = { target: rig.pod.target, headers };
    rig.picker.responseHeaders = new Map([["x-session-token", "abc"]]);
    const answer = await ask(rig, bodyOf("chat", 200, false), { headers: { "x-named": "n", "x-kept": "k" } });
    expect(rig.pod.requests[0].headers).toMatchObject({ "x-added": "1", "x-kept": "k", "x-request-id": "other" });
    expect(answer.headers["x-session-token"]).toBe("abc");
    expect(rig.picker.requests[0].facts.headers).toEqual({ "x-named": "n" });
  });

  it("rewrites the model on the way there and back", async () => {
    rig.picker.verdict = { target: rig.pod.target, model: "a-rather-long-model-name" };
    const answer = await ask(rig, bodyOf("chat", 70_000, false), { path: PATHS.chat });
    expect(JSON.parse(rig.pod.requests[0].body.toString())).toMatchObject({ model: "a-rather-long-model-name" });
    expect(JSON.parse(answer.body)).toMatchObject({ model: "m" });
  });

  it("routes a request without a body", async () => {
    const answer = await ask(rig, undefined, { path: "/v1/models" });
    expect(answer.status).toBe(200);
    expect(rig.pod.requests[0]).toMatchObject({ method: "GET", path: "/v1/models" });
    expect(rig.picker.requests[0]).toMatchObject({
      facts: { bodyless: true },
      events: ["started", "first byte", "ended natural"],
    });
  });

  it("takes any body on a path that no API claims", async () => {
    rig.pod.answer = (request, response) => void response.end(request.body);
    const body = randomBytes(100_000);
    const answer = await ask(rig, body, { path: "/other" });
    expect(answer.status).toBe(200);
    expect(rig.pod.requests[0].body.equals(body)).toBe(true);
  });

  it("answers a refusal with its status, text and reason", async () => {
    rig.picker.verdict = { reject: NO_CANDIDATES };
    const answer = await ask(rig, bodyOf("chat", 200, false));
    expect(answer).toMatchObject({
      status: 503,
      headers: { "x-llm-d-request-dropped-reason": "rejected-no-endpoints" },
      body: "inference error: ServiceUnavailable - failed to find endpoint candidates for serving the request",
    });
  });

  it("lets trailers through in both directions", async () => {
    rig.pod.answer = (_, response) => {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("{}");
      response.addTrailers({ "x-sum": "2" });
      response.end();
    };
    const body = bodyOf("chat", 200, false);
    const answer = await ask(rig, body, { trailers: { "x-checked": "1" } });
    expect(answer).toMatchObject({ status: 200, body: "{}", trailers: { "x-sum": "2" } });
    expect(rig.pod.requests[0].body.equals(body)).toBe(true);
    expect(rig.pod.requests[0].trailers).toEqual({ "x-checked": "1" });
  });

  it("serves two requests of one id apart", async () => {
    const headers = { "x-request-id": "same" };
    const answers = await Promise.all([1, 2].map(() => ask(rig, bodyOf("chat", 300, false), { headers })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(rig.picker.requests.map(({ key, facts }) => [key, facts.requestId])).toEqual([
      [0, "same"],
      [1, "same"],
    ]);
  });

  it("ends a parked request when its client goes away", async () => {
    rig.picker.verdict = "park";
    const request = startRequest({
      port: rig.envoy.port,
      host: "127.0.0.1",
      path: PATHS.chat,
      method: "POST",
      agent: false,
    });
    request.on("error", () => undefined);
    request.end(bodyOf("chat", 200, false));
    await rig.picker.until((requests) => requests.length === 1);
    request.destroy();
    await rig.picker.until(([first]) => first.events.includes("ended client-disconnect"));
    rig.picker.decide(0, { target: rig.pod.target });
    expect(rig.picker.requests[0].events).toEqual(["ended client-disconnect"]);
  });

  it("decides a parked request later", async () => {
    rig.picker.verdict = "park";
    const answer = ask(rig, bodyOf("chat", 200, false));
    await rig.picker.until((requests) => requests.length === 1);
    rig.picker.decide(0, { target: rig.pod.target });
    expect((await answer).status).toBe(200);
  });

  it("ends a request whose client goes away in the middle of its body", async () => {
    const request = startRequest({
      port: rig.envoy.port,
      host: "127.0.0.1",
      path: PATHS.chat,
      method: "POST",
      headers: { "content-length": 100_000 },
      agent: false,
    });
    request.on("error", () => undefined);
    request.write("x".repeat(50_000));
    await expect.poll(() => rig.server.bodyBytesInFlight).toBeGreaterThan(0);
    request.destroy();
    await expect.poll(() => rig.server.streamCount).toBe(0);
    expect(rig.picker.requests).toEqual([]);
  });

  it("ends a request whose client goes away in the middle of its answer", async () => {
    rig.pod.answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(EVENTS[0]);
    };
    const request = startRequest({
      port: rig.envoy.port,
      host: "127.0.0.1",
      path: PATHS.chat,
      method: "POST",
      agent: false,
    });
    request.on("error", () => undefined);
    request.end(bodyOf("chat", 200, true));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    await once(response, "data");
    request.destroy();
    await rig.picker.until(([first]) => first.events.at(-1) === "ended client-disconnect");
  });

  it("ends a request whose pod is not there", async () => {
    rig.picker.verdict = { target: "127.0.0.1:1" };
    expect((await ask(rig, bodyOf("chat", 200, false))).status).toBe(503);
    await rig.picker.until(([first]) => first.events.at(-1) === "ended natural");
  });

  it("loses nothing when every third of 150 clients goes away at some point", async () => {
    rig.pod.answer = answerStreamed;
    const body = bodyOf("chat", 50_000, true);
    const served = await Promise.all(
      Array.from({ length: 150 }, async (_, i) => {
        if (i % 3 !== 0) return (await ask(rig, body)).body;
        const request = startRequest({ port: rig.envoy.port, host: "127.0.0.1", path: PATHS.chat, method: "POST" });
        request.on("error", () => undefined);
        request.on("response", (response) => {
          response.on("error", () => undefined);
          response.once("data", () => request.destroy());
        });
        request.write(body.subarray(0, i * 300));
        if (i % 2 === 0) request.end(body.subarray(i * 300));
        else setImmediate(() => request.destroy());
        // Not events.once, which the error of the abort would reject.
        await new Promise((resolve) => request.once("close", resolve));
        return undefined;
      }),
    );
    const whole = [...EVENTS, ...LAST_EVENTS].join("");
    expect(served.filter((text) => text === whole)).toHaveLength(100);
  });

  it("takes the reset with which Envoy ends each stream for a normal end", async () => {
    const before = await rig.envoy.stat("cluster.picker.upstream_rq_tx_reset");
    for (let i = 0; i < 3; i++) await ask(rig, bodyOf("chat", 200, false));
    await expect.poll(() => rig.envoy.stat("cluster.picker.upstream_rq_tx_reset")).toBe(before + 3);
    expect(rig.picker.requests.map(({ events }) => events.at(-1))).toEqual(
      Array.from({ length: 3 }, () => "ended natural"),
    );
  });
});

describeWithEnvoy("Envoy's health check of the ext_proc port", () => {
  it("passes while the server is ready, and fails once it drains", async () => {
    const rig = await startRig({ healthIntervalMs: 50 }, { drainTimeoutMs: 300 });
    try {
      const healthy = () => rig.envoy.stat("cluster.picker.membership_healthy");
      await expect.poll(healthy).toBe(1);
      await expect.poll(() => rig.envoy.stat("cluster.picker.health_check.success")).toBeGreaterThan(1);
      expect(await rig.envoy.stat("cluster.picker.health_check.failure")).toBe(0);
      const drained = rig.server.drain();
      await expect.poll(healthy).toBe(0);
      await drained;
    } finally {
      await stopRig(rig);
    }
  });
});

describeWithEnvoy("the subset hint", () => {
  it("comes through Envoy's metadata", async () => {
    const rig = await startRig({ subset: ["10.0.0.1:8000", "10.0.0.2"] });
    try {
      await ask(rig, bodyOf("chat", 200, false));
      await ask(rig, bodyOf("chat", 200, false), { trailers: { a: "1" } });
      for (const { facts } of rig.picker.requests) expect(facts.subset).toEqual(["10.0.0.1:8000", "10.0.0.2"]);
      await expectQuiet(rig);
    } finally {
      await stopRig(rig);
    }
  });
});

describeWithEnvoy("a picker with TLS", () => {
  it("serves with a certificate of its own making", async () => {
    const rig = await startRig({ tls: true }, { tls: await selfSignedTls() });
    try {
      const answer = await ask(rig, bodyOf("chat", 62_001, false));
      expect(answer.status).toBe(200);
      expect(await rig.envoy.stat("cluster.picker.ssl.handshake")).toBeGreaterThan(0);
      await expectQuiet(rig);
    } finally {
      await stopRig(rig);
    }
  });
});

describeWithEnvoy("limits, through Envoy", () => {
  it("answer a body over its limit with 413 and one too many with 503", async () => {
    const rig = await startRig({}, { limits: { bodyBytesMax: 100_000, bodyBytesInFlightMax: 150_000 } });
    try {
      const large = await ask(rig, bodyOf("chat", 100_001, false));
      expect(large.status).toBe(413);
      expect(large.body).toMatch(/^inference error: PayloadTooLarge - .*100000 bytes/);
      rig.picker.verdict = "park";
      const first = ask(rig, bodyOf("chat", 90_000, false));
      await rig.picker.until((requests) => requests.length === 1);
      const second = await ask(rig, bodyOf("chat", 90_000, false));
      expect(second).toMatchObject({
        status: 503,
        headers: { "x-llm-d-request-dropped-reason": "rejected-saturated" },
      });
      rig.picker.decide(0, { target: rig.pod.target });
      expect((await first).status).toBe(200);
      await expectQuiet(rig);
    } finally {
      await stopRig(rig);
    }
  });
});
