import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type BodyMode, describeWithEnvoy } from "../support/envoy.ts";
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
  USAGE_SEEN,
} from "../support/ext-proc-rig.ts";

const MODES: readonly (readonly [BodyMode, BodyMode])[] = [
  ["BUFFERED", "BUFFERED"],
  ["BUFFERED", "STREAMED"],
  ["BUFFERED", "FULL_DUPLEX_STREAMED"],
  ["BUFFERED_PARTIAL", "BUFFERED_PARTIAL"],
  ["FULL_DUPLEX_STREAMED", "NONE"],
  ["FULL_DUPLEX_STREAMED", "STREAMED"],
  ["FULL_DUPLEX_STREAMED", "BUFFERED"],
];

describeWithEnvoy("other body modes", () => {
  describe.each(MODES)("request %s, response %s", (requestBodyMode, responseBodyMode) => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await startRig({ requestBodyMode, responseBodyMode, bufferBytesMax: 4_000_000 });
    });
    afterAll(() => stopRig(rig));
    afterEach(async () => {
      await expectQuiet(rig);
      rig.picker.requests.length = 0;
      rig.pod.requests.length = 0;
    });
    const usage = responseBodyMode === "NONE" ? undefined : USAGE_SEEN;

    it.each([200, 62_001, 2_000_000])("routes a body of %i bytes where the picker says", async (bytes) => {
      rig.pod.answer = answerWhole;
      rig.picker.verdict = { target: rig.pod.target };
      const body = bodyOf("chat", bytes, false);
      const headers = { "x-gateway-destination-endpoint": "127.0.0.1:1" };
      const answer = await ask(rig, body, { path: PATHS.chat, headers });
      expect(answer).toMatchObject({ status: 200, headers: { "x-went-into-resp-headers": "true" } });
      expect(rig.pod.requests[0].body.equals(body)).toBe(true);
      await rig.picker.until(([{ events }]) => events.at(-1) === "ended natural");
      expect(rig.picker.requests[0].usage).toEqual(usage);
    });

    it("rewrites the model, there and where it can back", async () => {
      rig.pod.answer = answerWhole;
      rig.picker.verdict = { target: rig.pod.target, model: "a-rather-long-model-name" };
      const answer = await ask(rig, bodyOf("chat", 70_000, false), { path: PATHS.chat });
      expect(JSON.parse(rig.pod.requests[0].body.toString())).toMatchObject({ model: "a-rather-long-model-name" });
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({
        model: responseBodyMode === "NONE" ? "a-rather-long-model-name" : "m",
      });
    });

    it("passes a streamed answer on", async () => {
      rig.pod.answer = answerStreamed;
      rig.picker.verdict = { target: rig.pod.target };
      const answer = await ask(rig, bodyOf("chat", 200, true), { path: PATHS.chat });
      expect(answer.body).toBe([...EVENTS, ...LAST_EVENTS].join(""));
      await rig.picker.until(([{ events }]) => events.at(-1) === "ended natural");
      expect(rig.picker.requests[0].usage).toEqual(usage);
    });

    it("answers bad JSON with 400", async () => {
      expect(await ask(rig, Buffer.from("{"))).toMatchObject({ status: 400 });
    });

    it("lets trailers through", async () => {
      rig.pod.answer = (_, response) => {
        response.writeHead(200, { trailer: "x-sum" });
        response.write("{}");
        response.addTrailers({ "x-sum": "2" });
        response.end();
      };
      rig.picker.verdict = { target: rig.pod.target };
      const answer = await ask(rig, bodyOf("chat", 200, false), { trailers: { "x-checked": "1" } });
      expect(answer).toMatchObject({ status: 200, body: "{}", trailers: { "x-sum": "2" } });
      expect(rig.pod.requests[0].trailers).toEqual({ "x-checked": "1" });
    });
  });

  it.each(["STREAMED", "NONE"] as const)(
    "answer one clear error when request bodies are %s",
    async (requestBodyMode) => {
      const rig = await startRig({ requestBodyMode });
      try {
        const answer = await ask(rig, bodyOf("chat", 100_000, false));
        expect(answer.status).toBe(500);
        expect(answer.body).toMatch(
          new RegExp(`request_body_mode ${requestBodyMode}: .*FULL_DUPLEX_STREAMED or BUFFERED$`),
        );
        expect((await ask(rig, undefined, { path: "/v1/models" })).status).toBe(200);
        await expectQuiet(rig);
      } finally {
        await stopRig(rig);
      }
    },
  );
});
