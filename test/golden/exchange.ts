import { expect } from "vitest";
import type { AnswerMessage, CaseMessage, HeaderPair, Json, Step } from "./cases.ts";
import { type Played, play } from "./player.ts";

/** Waiting requests, KV use and running adapters of a pod: `pod-<i>` at 192.168.1.<i+1>, as in the stock's own suite. */
export type Pod = readonly [queue: number, kv: number, ...adapters: string[]];

export const host = (i: number): string => `192.168.1.${i + 1}:8000`;

const page = ([queue, kv, ...adapters]: Pod): string =>
  [
    `# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting ${queue}`,
    `# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc ${kv}`,
    `# TYPE vllm:lora_requests_info gauge\nvllm:lora_requests_info{max_lora="4",running_lora_adapters="${adapters.join(",")}",waiting_lora_adapters=""} 1\n`,
  ].join("\n");

export interface ExchangeOptions {
  readonly pods: readonly Pod[];
  /** `plugins:` and what follows. */
  readonly config: string;
  readonly flags?: readonly string[];
  readonly labels?: readonly Readonly<Record<string, string>>[];
  /** Priorities of objectives by name. */
  readonly objectives?: Readonly<Record<string, number>>;
  /** False: no page of any pod was ever read. */
  readonly scraped?: boolean;
}

/** What comes back when these messages are sent, stream after stream, as bytes through the codec and back. */
export function exchange(options: ExchangeOptions, ...streams: readonly (readonly CaseMessage[])[]): Played {
  const { pods, config, flags = [], labels = [], objectives = {}, scraped = true } = options;
  const played = play(
    {
      id: "own",
      family: "own",
      config: `apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n${config}`,
      flags,
      objectives,
      endpoints: pods.map((_, i) => ({
        name: `pod-${i}`,
        address: `192.168.1.${i + 1}`,
        port: "8000",
        labels: labels[i] ?? {},
      })),
      metrics: scraped ? Object.fromEntries(pods.map((pod, i) => [host(i), page(pod)])) : {},
      steps: streams.flatMap((messages, i) => messages.map((message): Step => ({ send: `r${i}`, message }))),
    },
    "stock",
  );
  expect(played.requestsLeft).toBe(0);
  return played;
}

/** A request to a path, its body in pieces. */
export function request(
  path: string,
  pieces: readonly string[],
  { headers = [], subset }: { readonly headers?: readonly HeaderPair[]; readonly subset?: readonly string[] } = {},
): readonly CaseMessage[] {
  const metadata: Record<string, Json> | undefined = subset && {
    "envoy.lb.subset_hint": { "x-gateway-destination-endpoint-subset": subset },
  };
  return [
    { request_headers: { headers: [[":path", path], ["hi", "mom"], ["x-request-id", "test-request-id"], ...headers] } },
    ...pieces.map((body, i) => ({
      request_body: { body, end_of_stream: i + 1 === pieces.length },
      ...(metadata && { metadata }),
    })),
  ];
}

export const messagesOf = ({ answers }: Played, stream = "r0"): readonly AnswerMessage[] =>
  answers.streams[stream].messages;

export const headerOf = (message: AnswerMessage | undefined, name: string) =>
  message?.set_headers?.find(([key]) => key === name)?.[1];

export const destinationOf = (played: Played, stream = "r0") =>
  headerOf(messagesOf(played, stream)[0], "x-gateway-destination-endpoint");
