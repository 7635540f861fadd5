import autocannon from "autocannon";
import { expect, it } from "vitest";
import { describeWithEnvoy } from "../support/envoy.ts";
import { startStack } from "../support/stack.ts";

const REQUESTS = 4000;
const REFUSALS = 1200;
const good = JSON.stringify({ model: "Qwen3-0.6B", prompt: "once upon a time", max_tokens: 5 });
const bad = JSON.stringify({ model: "Qwen3-0.6B" });

describeWithEnvoy("on one connection, which Envoy uses for thousands of streams and resets each,", () => {
  it.each([
    ["h2c", false],
    ["TLS", true],
  ])("no request is lost, %s", async (_, tls) => {
    const stack = await startStack({ envoy: { tls } });
    const result = await autocannon({
      url: `${stack.url}/v1/completions`,
      connections: 8,
      amount: REQUESTS,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: good,
    });
    const { errors, timeouts, resets, non2xx } = result;
    expect({ errors, timeouts, resets, non2xx }).toEqual({ errors: 0, timeouts: 0, resets: 0, non2xx: 0 });
    expect(result["2xx"]).toBe(REQUESTS);
    expect(await stack.envoy.stat("http.clients.ext_proc.streams_failed")).toBe(0);
    await stack.untilQuiet();
  });

  it("a thousand refusals do no harm to those that follow", async () => {
    const stack = await startStack();
    const post = async (body: string) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${stack.url}/v1/completions`, { method: "POST", headers, body });
      await response.text();
      return response.status;
    };
    // Envoy closes the client's connection with each refusal, so these come one by one.
    for (let i = 0; i < REFUSALS; i++) expect(await post(bad)).toBe(400);
    expect(await post(good)).toBe(200);
    await stack.untilQuiet();
  });
});
