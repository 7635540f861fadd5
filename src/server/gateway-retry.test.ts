import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PluginInstance } from "../core/plugin.ts";
import type { UpstreamFailure } from "./upstream-failure.ts";
import { chatBody, deadPort, startFakePod, startFixture } from "./test-support/gateway-fixture.ts";

const post = (url: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    body: chatBody(),
    headers: { "content-type": "application/json" },
  });

/** Prefers endpoints in the order in which they came, so that a test knows whom a request tries first. */
const inOrder: PluginInstance = {
  score(_request, candidates, out) {
    for (let i = 0; i < candidates.count; i++) out[i] = 1 - candidates.slots[i] / 10;
  },
};
const good = () => startFakePod((request, response) => response.end(request.headers["x-gateway-destination-endpoint"]));

describe("a pod that takes no connection", () => {
  it("is passed over for the next pick, and what was reserved on it is given back", async () => {
    const pod = await good();
    const failures: [string, UpstreamFailure["kind"]][] = [];
    const dead = await deadPort();
    const { url, reserved, events, idle } = await startFixture([dead, pod.port], {
      extra: [inOrder],
      attemptFailed: (target, { kind }) => failures.push([target, kind]),
    });
    const answer = await post(url);
    expect([answer.status, await answer.text()]).toEqual([200, `127.0.0.1:${pod.port}`]);
    expect(failures).toEqual([[`127.0.0.1:${dead}`, "dead"]]);
    await idle();
    expect(reserved()).toBe(0);
    expect(events.map((event) => (event.type === "requestEnded" ? event.cause : event.type)).slice(-6)).toEqual([
      "requestArrived",
      "error",
      "requestArrived",
      "responseStarted",
      "responseFirstByte",
      "natural",
    ]);
  });

  it("is passed over by requests without a body too", async () => {
    const pod = await good();
    const { url } = await startFixture([await deadPort(), await deadPort(), pod.port]);
    for (let i = 0; i < 8; i++) expect((await fetch(`${url}/v1/models`)).status).toBe(200);
  });

  it("gives a fallback of the same decision its turn before a new decision", async () => {
    const pod = await good();
    const dead = await deadPort();
    const { url, events, idle, reserved, driver } = await startFixture([dead, pod.port], { extra: [inOrder] });
    // A picker that gives all candidates, best first.
    const { picker } = driver.core.plan.profiles[0];
    picker.plugin.pick = (_request, candidates, _totals, picks) => {
      for (let i = 0; i < candidates.count; i++) picks[i] = i;
      return candidates.count;
    };
    const answer = await post(url);
    expect([answer.status, await answer.text()]).toEqual([200, `127.0.0.1:${dead},127.0.0.1:${pod.port}`]);
    await idle();
    expect(events.filter(({ type }) => type === "requestArrived")).toHaveLength(1);
    expect(events.find((event) => event.type === "responseStarted")).toMatchObject({ served: `127.0.0.1:${pod.port}` });
    expect(reserved()).toBe(0);
  });

  it("ends in a 502 of JSON when all are dead, and after retriesMax attempts more", async () => {
    const dead = [await deadPort(), await deadPort(), await deadPort()];
    const all = await startFixture(dead);
    const answer = await post(all.url);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([502, "application/json"]);
    expect(await answer.json()).toMatchObject({ error: { type: "bad_gateway", code: 502 } });
    const arrivals = () => all.events.filter(({ type }) => type === "requestArrived").length;
    // Three attempts, and the decision that found no fourth pod.
    expect(arrivals()).toBe(4);
    const once = await startFixture(dead, { limits: { retriesMax: 1 } });
    expect((await post(once.url)).status).toBe(502);
    expect(once.events.filter(({ type }) => type === "requestArrived")).toHaveLength(2);
    await once.idle();
    expect([all.reserved(), once.reserved()]).toEqual([0, 0]);
  });
});

describe("a pod that dies", () => {
  it("before the first byte of its answer: another one serves the request, once", async () => {
    const dying = await startFakePod((_, response) => void response.destroy());
    const pod = await good();
    const { url, reserved, idle } = await startFixture([dying.port, pod.port], { extra: [inOrder] });
    expect((await post(url)).status).toBe(200);
    expect([dying.requests.length, pod.requests.length]).toEqual([1, 1]);
    await idle();
    expect(reserved()).toBe(0);
  });

  it.each([
    ["a stream", {}],
    ["an answer with a length", { "content-length": "1000" }],
  ])("in the middle of %s: the client sees it broken, and no other pod is asked", async (_name, headers) => {
    const dying = await startFakePod((_, response) => {
      response.writeHead(200, headers as Record<string, string>);
      response.write("part", () => response.destroy());
    });
    const pod = await good();
    const { url, reserved, seen } = await startFixture([dying.port, pod.port], { extra: [inOrder] });
    const request = httpRequest(`${url}/v1/chat/completions`, { method: "POST" });
    request.end(chatBody());
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    await expect(text(answer)).rejects.toThrow("aborted");
    await seen("requestEnded", "error");
    expect([pod.requests.length, reserved()]).toEqual([0, 0]);
  });

  it("between two requests of a kept connection: the second is served all the same", async () => {
    const pod = await startFakePod((_, response) => response.end("ok"));
    // The server closes idle connections without a word, right when the next request may be under way.
    const { url } = await startFixture([pod.port, (await good()).port], { extra: [inOrder] });
    for (let i = 0; i < 20; i++) {
      expect((await post(url)).status).toBe(200);
      pod.server.closeIdleConnections();
    }
  });
});

describe("a pod that misbehaves", () => {
  it("by silence: 504, and no other pod is asked", async () => {
    const silent = await startFakePod(() => undefined);
    const pod = await good();
    const { url, reserved, idle } = await startFixture([silent.port, pod.port], {
      extra: [inOrder],
      limits: { responseHeadersTimeoutMs: 100 },
    });
    const answer = await post(url);
    expect([answer.status, await answer.json()]).toEqual([
      504,
      {
        error: {
          message: "Cannot get an answer from a pod: it did not answer in time",
          type: "gateway_timeout",
          code: 504,
        },
      },
    ]);
    await idle();
    expect([pod.requests.length, reserved()]).toEqual([0, 0]);
  });

  it.each([
    ["no HTTP", "hello\r\n\r\n"],
    ["headers without end", `HTTP/1.1 200 OK\r\nx-big: ${"b".repeat(100_000)}\r\n\r\n`],
  ])("by answering %s: 502, and no other pod is asked", async (_name, bytes) => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const pod = await good();
    const { url, reserved, idle } = await startFixture([(server.address() as AddressInfo).port, pod.port], {
      extra: [inOrder],
    });
    expect((await post(url)).status).toBe(502);
    await idle();
    expect([pod.requests.length, reserved()]).toEqual([0, 0]);
  });
});
