import { once } from "node:events";
import { request as startRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { expect } from "vitest";
import { startExtProcServer, type ExtProcServer, type ExtProcServerOptions } from "../../src/server/ext-proc-server.ts";
import { startEnvoy, type EnvoyOptions, type RunningEnvoy } from "./envoy.ts";
import { FixedPicker, openaiReading } from "./fixed-picker.ts";
import { HttpPod, type PodRequest } from "./http-pod.ts";

/** Real Envoy in front of the ext_proc server, an HTTP server in the pod's place behind both. */
export interface Rig {
  readonly envoy: RunningEnvoy;
  readonly server: ExtProcServer;
  readonly picker: FixedPicker;
  readonly pod: HttpPod;
  readonly failures: unknown[];
}

/** Starts all of it on free ports. */
export async function startRig(
  envoyOptions: Partial<EnvoyOptions> = {},
  serverOptions: Partial<ExtProcServerOptions> = {},
) {
  const failures: unknown[] = [];
  const pod = await HttpPod.start(answerWhole);
  const picker = new FixedPicker({ target: pod.target });
  const server = await startExtProcServer({
    picker,
    plan: openaiReading,
    host: "127.0.0.1",
    port: 0,
    failed: (error) => failures.push(error),
    ...serverOptions,
  });
  const envoy = await startEnvoy({ extProcPort: server.port, ...envoyOptions });
  return { envoy, server, picker, pod, failures } satisfies Rig;
}

/** Stops it, and fails when a stream met an error that should not be. */
export async function stopRig(rig: Rig | undefined): Promise<void> {
  if (!rig) return;
  await rig.envoy.stop();
  await rig.server.stop();
  await rig.pod.stop();
  expect(rig.failures).toEqual([]);
}

/** After each test nothing may be left over: every request ended once, no bytes held, no stream open. */
export async function expectQuiet({ picker, server }: Rig): Promise<void> {
  await picker.until((requests) => requests.every(({ events }) => events.at(-1)?.startsWith("ended")));
  await expect.poll(() => server.streamCount).toBe(0);
  expect(server.bodyBytesInFlight).toBe(0);
  for (const { events } of picker.requests) {
    expect(events.filter((event) => event.startsWith("ended"))).toHaveLength(1);
  }
}

/** Usage that every answer reports. */
export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
/** The same as the picker is told. */
export const USAGE_SEEN = { promptTokens: 11, completionTokens: 7, cachedTokens: -1 };

/** A whole answer that names the model as the request did. */
export function answerWhole({ body }: PodRequest, response: Parameters<HttpPod["answer"]>[1]): void {
  const { model } = body.length > 0 ? (JSON.parse(body.toString()) as { model?: string }) : {};
  const text = JSON.stringify({ id: "a", model, usage: USAGE });
  response
    .writeHead(200, { "content-type": "application/json", "content-length": text.length, "x-pod": "1" })
    .end(text);
}

export const EVENTS = [1, 2, 3].map((n) => `data: {"choices":[{"text":"${n}"}]}\n\n`);
export const LAST_EVENTS = [`data: {"choices":[],"usage":${JSON.stringify(USAGE)}}\n\n`, "data: [DONE]\n\n"];

/** An event stream, all of it at once. */
export function answerStreamed(_: PodRequest, response: Parameters<HttpPod["answer"]>[1]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of [...EVENTS, ...LAST_EVENTS]) response.write(event);
  response.end();
}

/** A body of exactly so many bytes. */
export function bodyOf(api: "completions" | "chat", bytes: number, stream: boolean): Buffer {
  const make = (filler: string): Buffer => {
    const content = api === "chat" ? { messages: [{ role: "user", content: filler }] } : { prompt: filler };
    return Buffer.from(JSON.stringify({ model: "m", stream, ...content }));
  };
  return make("x".repeat(bytes - make("").length));
}

export const PATHS = { completions: "/v1/completions", chat: "/v1/chat/completions" } as const;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: IncomingMessage["trailers"];
  readonly body: string;
}

/** Sends a request through Envoy (a chat unless told otherwise) and reads its answer whole. */
export async function ask(
  rig: Rig,
  body: Buffer | undefined,
  options: { path?: string; headers?: OutgoingHttpHeaders; trailers?: Record<string, string> } = {},
): Promise<Answer> {
  const { path = PATHS.chat, headers = {}, trailers } = options;
  const request = startRequest({
    port: rig.envoy.port,
    host: "127.0.0.1",
    path,
    method: body ? "POST" : "GET",
    headers: {
      ...headers,
      ...(body && !trailers && { "content-length": body.length }),
      ...(trailers && { "transfer-encoding": "chunked", trailer: Object.keys(trailers).join(",") }),
    },
    agent: false,
  });
  if (trailers) request.addTrailers(trailers);
  request.end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    trailers: response.trailers,
    body: Buffer.concat(chunks).toString(),
  };
}
