import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { chatBody, startFakePod, startFixture } from "./test-support/gateway-fixture.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const BODIES = 20;
const BODY_BYTES = 1_000_000;

it("a gateway lets go of a request's body once its answer has begun, however long that takes", async () => {
  const pod = await startFakePod((_request, response) => void response.write("data: {}\n\n"));
  const { url, gateway } = await startFixture([pod.port]);
  const held = (): number => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  for (let i = 0; i < BODIES; i++) {
    const request = httpRequest(`${url}/v1/chat/completions`, { method: "POST" });
    request.on("error", () => undefined);
    request.end(chatBody(`${i}`.padEnd(BODY_BYTES, "x"), { stream: true }));
    const [answer] = (await once(request, "response")) as [IncomingMessage];
    await once(answer, "data");
    answer.on("error", () => undefined);
  }
  expect(gateway.requestCount).toBe(BODIES);
  expect(gateway.bodyBytesInFlight).toBe(0);
  // Freed buffers may be given back a moment later.
  await expect.poll(() => held() - before, { timeout: 10_000 }).toBeLessThan((BODIES * BODY_BYTES) / 4);
});
