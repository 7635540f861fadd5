import { request as httpRequest } from "node:http";
import { setImmediate } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSeededRandom } from "../simulator/engine/seeded-random.ts";
import type { PodFaults } from "../simulator/pods/faults.ts";
import { startPods } from "../simulator/pods/start-pods.ts";
import { chatBody, startFixture } from "./test-support/gateway-fixture.ts";

const REQUESTS = 300;
const AT_ONCE = 20;
const FAULTS: readonly PodFaults[] = [{}, { requests: "die" }, { requests: "reset" }, { requests: "error" }];

describe("a gateway among pods and clients that fail at random", () => {
  it.each([1, 2, 3])(
    "holds nothing at the end, and every answer that it began is whole or broken off (seed %d)",
    async (seed) => {
      const random = createSeededRandom(seed, "chaos");
      const fleet = await startPods({ count: 4, timeScale: 0.001, servedModelName: "m" });
      onTestFinished(() => fleet.stop());
      const { url, gateway, driver, reserved, idle, events } = await startFixture(fleet.pods.map((pod) => pod.port));
      const outcomes = { whole: 0, broken: 0, refused: 0, left: 0 };

      const play = async (): Promise<void> => {
        const stream = random.below(2) === 0;
        const body = chatBody("word ".repeat(random.below(3000)), { stream, max_tokens: 20, ignore_eos: true });
        const leavesAfter = random.below(4) === 0 ? random.below(40) : Number.POSITIVE_INFINITY;
        const outcome = await ask(url, body, leavesAfter);
        outcomes[outcome]++;
      };
      let left = REQUESTS;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          if (random.below(10) === 0) fleet.pods[random.below(4)].faults = FAULTS[random.below(FAULTS.length)];
          await play();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      await idle();
      expect([reserved(), driver.core.requestCount, driver.requesterCount, gateway.bodyBytesInFlight]).toEqual([
        0, 0, 0, 0,
      ]);
      expect(outcomes.whole + outcomes.broken + outcomes.refused + outcomes.left).toBe(REQUESTS);
      // All four ways were seen, or this test proves nothing.
      for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(0);
      const arrived = events.filter(({ type }) => type === "requestArrived").length;
      expect(events.filter(({ type }) => type === "requestEnded")).toHaveLength(arrived);
    },
  );
});

/** One request; the client goes away after so many turns of the event loop. */
function ask(url: string, body: string, leavesAfter: number): Promise<"whole" | "broken" | "refused" | "left"> {
  return new Promise((resolve) => {
    let leaving = false;
    const request = httpRequest(`${url}/v1/chat/completions`, { method: "POST" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("error", () => undefined);
      response.once("close", () => {
        if (leaving) resolve("left");
        else if (!response.complete) resolve("broken");
        else if (response.statusCode === 200) {
          expect(
            text.endsWith("data: [DONE]\n\n") || (JSON.parse(text) as { choices: unknown[] }).choices.length === 1,
          ).toBe(true);
          resolve("whole");
        } else resolve("refused");
      });
    });
    request.once("error", () => resolve(leaving ? "left" : "broken"));
    request.end(body);
    void (async () => {
      for (let turn = 0; turn < leavesAfter && !request.destroyed; turn++) await setImmediate();
      if (leavesAfter === Number.POSITIVE_INFINITY || request.destroyed) return;
      leaving = true;
      request.destroy();
    })();
  });
}
