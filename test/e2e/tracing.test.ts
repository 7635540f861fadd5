import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { expect, it, onTestFinished } from "vitest";
import { describeWithEnvoy } from "../support/envoy.ts";
import { startOtlpReceiver, type ReceivedSpan } from "../support/otlp-receiver.ts";
import { answerWhole } from "../support/ext-proc-rig.ts";
import { freePorts } from "../support/free-ports.ts";
import { type PickerProcess, startPickerProcess } from "../support/picker-process.ts";
import { startStack } from "../support/stack.ts";

const MODEL = "Qwen3-0.6B";
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN_ID = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${CLIENT_SPAN_ID}-01`;
const CHAT = { model: MODEL, messages: [{ role: "user", content: "What does the picker do?" }] };
const TRACED = ["--tracing=true", "-v=4"];

/** Sends a chat through Envoy; gives its status once the answer is whole. */
async function ask(url: string, body: unknown, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  await response.text();
  return response.status;
}

/** Headers of each request that the pod got, scrapes left out. */
const posted = ({ pod }: PickerProcess) =>
  pod.requests.filter(({ method }) => method === "POST").map(({ headers }) => headers);

/** Has Node say what it loads. */
const LOADS = { NODE_DEBUG: "module" };
const loads = ({ epp }: PickerProcess, name: string): boolean => epp.stderr.some((line) => line.includes(`/${name}/`));

const oneOf = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found.map((span) => span.name)).toEqual([name]);
  return found[0];
};

/** The span's name with those of its children, oldest first. */
const tree = (spans: readonly ReceivedSpan[], { name, spanId }: ReceivedSpan): unknown => {
  const children = spans
    .filter(({ parentSpanId }) => parentSpanId === spanId)
    .toSorted((a, b) => Number(a.startNano - b.startNano));
  return children.length === 0 ? name : { [name]: children.map((child) => tree(spans, child)) };
};

describeWithEnvoy("traces over Envoy", () => {
  it("has the stock spans under the client's, sent over OTLP, and sends the trace on to the pod", async () => {
    const receiver = await startOtlpReceiver();
    const stack = await startStack({
      flags: TRACED,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${receiver.address}`,
        OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=t1",
        OTEL_RESOURCE_ATTRIBUTES: "k8s.namespace.name=ns",
      },
    });
    const headers = { traceparent: TRACEPARENT, tracestate: "vendor=1", "x-request-id": "traced-1" };
    expect(await ask(stack.url, CHAT, headers)).toBe(200);
    await stack.untilQuiet();
    stack.epp.child.kill("SIGTERM");
    expect(await stack.epp.exit).toBe(0);

    const { spans } = receiver;
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([TRACE_ID]));
    expect(receiver.metadata("x-tenant")).toContain("t1");
    const request = oneOf(spans, "gateway.request");
    expect(request).toMatchObject({
      service: "llm-d-epp",
      scope: "llm-d-router/pkg/epp/handlers",
      parentSpanId: CLIENT_SPAN_ID,
      kind: 2,
      status: { code: 0 },
    });
    expect(request.resource).toMatchObject({ "k8s.namespace.name": "ns" });
    expect(request.attributes).toEqual({ "gen_ai.request.id": "traced-1" });
    const scorers = ["queue-scorer", "kv-cache-utilization-scorer", "prefix-cache-scorer", "active-request-scorer"];
    expect(tree(spans, request)).toEqual({
      "gateway.request": [
        {
          "gateway.request_orchestration": [
            {
              run_scheduler_profile: [
                "filter_endpoints",
                { "llm_d.epp.scoring": scorers.map((type) => `llm_d.epp.scorer.${type}`) },
                "pick_endpoints",
              ],
            },
          ],
        },
      ],
    });
    expect(oneOf(spans, "gateway.request_orchestration")).toMatchObject({
      scope: "llm-d-router/pkg/epp/requestcontrol",
      attributes: { target_model: MODEL, request_prio: 0 },
    });
    expect(oneOf(spans, "run_scheduler_profile").attributes).toEqual({
      "llm_d.epp.scheduling.profile.name": "default",
    });
    const pick = oneOf(spans, "pick_endpoints").attributes;
    expect(pick).toMatchObject({
      "llm_d.epp.picker.candidate_endpoints": 3,
      "gen_ai.request.model": MODEL,
      "gen_ai.request.id": "traced-1",
    });
    expect(pick["llm_d.epp.picker.top_endpoints"]).toHaveLength(3);
    const scores = pick["llm_d.epp.picker.top_scores"] as number[];
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(oneOf(spans, "llm_d.epp.scorer.prefix-cache-scorer").attributes).toMatchObject({
      "llm_d.epp.scorer.weight": 3,
    });
    for (const { startNano, endNano, parentSpanId } of spans) {
      const parent = spans.find(({ spanId }) => spanId === parentSpanId);
      expect(endNano).toBeGreaterThanOrEqual(startNano);
      if (!parent) continue;
      expect(startNano).toBeGreaterThanOrEqual(parent.startNano);
      expect(endNano).toBeLessThanOrEqual(parent.endNano);
    }
    const received = stack.epp.stderr.find((line) => line.includes("EPP received request"));
    expect(JSON.parse(received ?? "{}")).toMatchObject({ "x-request-id": "traced-1", trace_id: TRACE_ID });
    expect(stack.epp.stdout).toEqual([]);
  });

  const CONFIG = `
plugins:
- type: queue-scorer
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer}
`;
  const otlp = (address: string, more: Record<string, string> = {}) => ({
    OTEL_TRACES_EXPORTER: "otlp",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://${address}`,
    ...more,
  });

  it("gives the pod one traceparent, of the picker's span, with the client's tracestate and baggage", async () => {
    const receiver = await startOtlpReceiver();
    const env = { ...otlp(receiver.address), ...LOADS };
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env });
    const headers = { traceparent: TRACEPARENT, tracestate: "vendor=1", baggage: "tenant=t1" };
    expect(await ask(picker.url, CHAT, headers)).toBe(200);
    expect(await picker.stop()).toBe(0);
    expect(loads(picker, "@opentelemetry/sdk-trace")).toBe(true);
    const span = oneOf(receiver.spans, "gateway.request");
    expect(posted(picker)).toMatchObject([
      { traceparent: `00-${TRACE_ID}-${span.spanId}-01`, tracestate: "vendor=1", baggage: "tenant=t1" },
    ]);
  });

  it.each([
    ["takes none of a parent that is not sampled", `00-${TRACE_ID}-${CLIENT_SPAN_ID}-00`, {}],
    ["takes none when the sampler says so", undefined, { OTEL_TRACES_SAMPLER_ARG: "0" }],
  ])("%s, but sends its flag on", async (_, traceparent, sampler) => {
    const receiver = await startOtlpReceiver();
    const env = otlp(receiver.address, sampler);
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env });
    expect(await ask(picker.url, CHAT, traceparent ? { traceparent } : {})).toBe(200);
    expect(await picker.stop()).toBe(0);
    expect(receiver.spans).toEqual([]);
    const id = traceparent ? TRACE_ID : "[0-9a-f]{32}";
    expect(posted(picker)[0]["traceparent"]).toMatch(new RegExp(`^00-${id}-[0-9a-f]{16}-00$`));
    expect(posted(picker)[0]["traceparent"]).not.toContain(CLIENT_SPAN_ID);
  });

  it("starts a trace of its own, and tells of refusals by their code", async () => {
    const receiver = await startOtlpReceiver();
    const env = otlp(receiver.address, { OTEL_TRACES_SAMPLER: "always_on", OTEL_SERVICE_NAME: "picker" });
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env });
    expect(await ask(picker.url, { messages: "secret words" })).toBe(400);
    expect(await picker.stop()).toBe(0);
    const error = { code: 2, message: "BadRequest" };
    const request = oneOf(receiver.spans, "gateway.request");
    expect(request).toMatchObject({ service: "picker", parentSpanId: "", status: error });
    expect(oneOf(receiver.spans, "gateway.request_orchestration")).toMatchObject({
      parentSpanId: request.spanId,
      status: error,
    });
    expect(receiver.text).not.toContain("secret");
  });

  it.each([
    ["nobody is named who takes them", {}, []],
    ["--tracing=false is given", otlp("127.0.0.1:1"), ["--tracing=false"]],
  ])("has none when %s: the client's headers pass as they are, nothing is printed", async (_, env, flags) => {
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env: { ...env, ...LOADS }, flags });
    expect(await ask(picker.url, CHAT, { traceparent: TRACEPARENT })).toBe(200);
    expect(await ask(picker.url, CHAT)).toBe(200);
    expect(await picker.stop()).toBe(0);
    expect(posted(picker).map((headers) => headers["traceparent"])).toEqual([TRACEPARENT, undefined]);
    expect([loads(picker, "@grpc/grpc-js"), loads(picker, "@opentelemetry/sdk-trace")]).toEqual([true, false]);
    expect(picker.epp.stdout).toEqual([]);
  });

  it("sends them over TLS to a receiver whose authority the environment names", async () => {
    const pair = await generate([{ name: "commonName", value: "127.0.0.1" }], {
      extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
    });
    const receiver = await startOtlpReceiver(pair);
    const folder = mkdtempSync(join(tmpdir(), "otlp-ca-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const ca = join(folder, "ca.pem");
    writeFileSync(ca, pair.cert);
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://${receiver.address}`,
      OTEL_EXPORTER_OTLP_CERTIFICATE: ca,
      OTEL_TRACES_SAMPLER: "always_on",
    };
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env });
    expect(await ask(picker.url, CHAT)).toBe(200);
    expect(await picker.stop()).toBe(0);
    oneOf(receiver.spans, "gateway.request");
  });

  it("serves on when the receiver is gone, and says so once", async () => {
    const [port] = await freePorts(1);
    const env = otlp(`127.0.0.1:${port}`, { OTEL_TRACES_SAMPLER: "always_on", OTEL_EXPORTER_OTLP_TIMEOUT: "500" });
    const picker = await startPickerProcess({ answer: answerWhole, config: CONFIG, env });
    for (let i = 0; i < 3; i++) expect(await ask(picker.url, CHAT)).toBe(200);
    expect(await picker.stop()).toBe(0);
    expect(picker.epp.stderr.filter((line) => line.includes("Cannot send"))).toHaveLength(1);
    expect(picker.epp.stdout).toEqual([]);
  });
});
