import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { compilePlan } from "../../src/config/compile-plan.ts";
import type { Decision } from "../../src/core/decision.ts";
import { CoreDriver } from "../../src/server/core-driver.ts";
import { readingPlanOf } from "../../src/server/reading-plan.ts";
import { describeWithEnvoy } from "../support/envoy.ts";
import { answerStreamed, answerWhole, ask, bodyOf, type Rig, startRig, stopRig } from "../support/ext-proc-rig.ts";

const CONFIG = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: request-attribute-reporter
    parameters:
      attributes:
        - key: {name: cost}
          expression: usage.prompt_tokens + 2.0 * usage.completion_tokens
          condition: usage.completion_tokens > 0
  - type: destination-endpoint-served-verifier
  - type: agent-identity
  - type: disaggregatedset-rollout-screener
    parameters:
      scope: {labelSelector: app}
      headerSelectors: [{headerName: x-slice, labelKey: slice, mode: strict}]
      revisionGating: {mode: disabled}
  - type: queue-scorer
`;

describeWithEnvoy("request control behind a real Envoy", () => {
  let rig: Rig;
  let folder: string;
  let driver: CoreDriver;
  const decisions: Decision[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "warmpath-"));
    driver = new CoreDriver({
      compile: compilePlan,
      seed: 1,
      nowUs: () => Math.floor(performance.now() * 1000),
    });
    driver.observe((notice) => void (notice.type === "decision" && decisions.push(notice.decision)));
    driver.load({ text: CONFIG, options: { "allow-experimental-plugins": true } });
    const accessLog = {
      path: join(folder, "access.log"),
      format: "%REQ(x-request-id)% %DYNAMIC_METADATA(envoy.lb:cost)%",
    };
    rig = await startRig({ accessLog }, { picker: driver, plan: readingPlanOf(driver) });
    const [address, port] = rig.pod.target.split(":");
    const labels = { app: "vllm", slice: "7" };
    const place = { id: "default/pod", namespace: "default", name: "pod", address, port: Number(port) };
    driver.upsert({ ...place, metricsHost: rig.pod.target, labels });
  });
  afterAll(async () => {
    driver.close();
    await stopRig(rig);
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    rig.pod.answer = answerWhole;
    decisions.length = 0;
  });

  /** What Envoy knew of a request's cost when it was over. */
  const costOf = async (id: string): Promise<string> => {
    const line = async () => {
      const lines = (await readFile(join(folder, "access.log"), "utf8")).split("\n");
      return lines.find((one) => one.startsWith(`${id} `));
    };
    await expect.poll(line, { timeout: 20_000 }).toBeDefined();
    return (await line())!.slice(id.length + 1);
  };

  it.each([
    ["whole", false, answerWhole],
    ["streamed", true, answerStreamed],
  ] as const)("tells Envoy the cost of a response that comes %s", async (id, stream, answer) => {
    rig.pod.answer = answer;
    const { status } = await ask(rig, bodyOf("chat", 300, stream), { headers: { "x-request-id": id } });
    expect(status).toBe(200);
    // 11 tokens read, 7 written.
    expect(await costOf(id)).toBe("25");
  });

  it("tells Envoy nothing of a response without usage, and passes it on", async () => {
    rig.pod.answer = (_, response) => void response.writeHead(200, { "content-type": "application/json" }).end("{}");
    const { body } = await ask(rig, bodyOf("chat", 300, false), { headers: { "x-request-id": "none" } });
    expect(body).toBe("{}");
    expect(await costOf("none")).toBe("-");
  });

  it("sets response headers: the label of the pod, and that this Envoy does not say who served", async () => {
    const { headers } = await ask(rig, bodyOf("chat", 300, false));
    expect(headers).toMatchObject({
      "x-slice": "7",
      "x-conformance-test-served-endpoint": "fail: missing destination endpoint served metadata",
    });
  });

  it("answers 503 where a strict header meets no pod", async () => {
    expect((await ask(rig, bodyOf("chat", 300, false), { headers: { "x-slice": "8" } })).status).toBe(503);
  });

  it.each([
    [{ "x-claude-code-session-id": "s1", "session-id": "s2" }, "s1"],
    [{ session_id: "s3" }, "s3"],
    [{ "session-id": "s2", "x-llm-d-inference-fairness-id": "mine" }, "mine"],
    [{}, "default-flow"],
  ])("puts a request with headers %j into flow %s", async (headers, flow) => {
    await ask(rig, bodyOf("chat", 300, false), { headers });
    expect(decisions.map(({ fairnessId }) => fairnessId)).toEqual([flow]);
  });

  it("leaves nothing over", async () => {
    await expect.poll(() => [rig.server.streamCount, driver.core.requestCount]).toEqual([0, 0]);
    expect(rig.server.bodyBytesInFlight).toBe(0);
  });
});
