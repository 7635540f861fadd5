import type { Registry } from "prom-client";
import { randomUUID } from "node:crypto";
import { readBlueprint } from "../../src/config/blueprint.ts";
import { compilePlan } from "../../src/config/compile-plan.ts";
import type { ConfigSource } from "../../src/core/events.ts";
import { blockIds } from "../../src/core/block-ids.ts";
import type { RewriteMode } from "../../src/core/parser.ts";
import type { CoreMetricsExtractorParams } from "../../src/plugins/data-layer/core-metrics-extractor.ts";
import { createCoreMetricsExtractor } from "../../src/plugins/data-layer/core-metrics-extractor.ts";
import type { PageExtractor } from "../../src/plugins/data-layer/page-extractor.ts";
import { readEndpointsFile } from "../../src/plugins/data-layer/endpoints-file.ts";
import { createPickerMetrics } from "../../src/observability/picker-metrics.ts";
import type { StreamMetrics } from "../../src/observability/stream-metrics.ts";
import { registerPluginMeasures } from "../../src/observability/plugin-measures.ts";
import { BodyAccount } from "../../src/protocol/body-account.ts";
import { createResponseEncoder, decodeRequest } from "../../src/protocol/codec.ts";
import type { ExchangeMeter } from "../../src/protocol/exchange-meter.ts";
import { ExtProcMachine } from "../../src/protocol/ext-proc-machine.ts";
import type { MachineOptions } from "../../src/protocol/machine-options.ts";
import { CoreDriver } from "../../src/server/core-driver.ts";
import { readingPlanOf } from "../../src/server/reading-plan.ts";
import type { AnswerHeader, AnswerMessage, Answers, Case, Page, StreamAnswers } from "./cases.ts";
import { endpointsText } from "./cases.ts";
import { decodeResponse, encodeRequest } from "./wire.ts";

/** Time between two steps: as long as the recorder waited at least. */
const STEP_US = 50_000;
const LIMITS = {
  headersMax: 1000,
  headerBytesMax: 1 << 20,
  bodyBytesMax: 64 << 20,
};
const OPTIONS = {
  "pool-name": "pool",
  "pool-namespace": "default",
  "allow-experimental-plugins": true,
};

/** What a play came to, and the bodies that were sent on, by stream. */
export interface Played {
  readonly answers: Answers;
  readonly bodies: ReadonlyMap<string, Buffer>;
  /** Requests that the core still holds, after all streams were ended. */
  readonly requestsLeft: number;
  readonly decisionHash: string;
  /** The metrics page, without what the pool's own gauges and the process tell. */
  readonly metrics: Registry;
  /** The page at the `scrape` steps, by name. */
  readonly scrapes: ReadonlyMap<string, Promise<string>>;
}

/** Plays one case in process: bytes in, bytes out, through codec, machine, parsers, core and plugins. */
export function play(testCase: Case, rewrite: RewriteMode): Played {
  return new Play(testCase, rewrite).run();
}

class Play {
  readonly #case: Case;
  readonly #driver: CoreDriver;
  readonly #streams = new Map<string, PlayedStream>();
  readonly #pages = new Map<string, Page>();
  readonly #slots = new Map<string, { slot: number; generation: number; labels: Readonly<Record<string, string>> }>();
  readonly #machineOptions: MachineOptions;
  readonly #extractor: PageExtractor;
  readonly #ownIds = new Set<unknown>();
  readonly #metered = createPickerMetrics(() => this.#nowUs / 1e6);
  readonly #openStream: StreamMetrics["open"] | undefined;
  readonly #scrapes = new Map<string, Promise<string>>();
  #nowUs = 1_000_000;

  constructor(testCase: Case, rewrite: RewriteMode) {
    this.#case = testCase;
    this.#driver = new CoreDriver({
      compile: compilePlan,
      seed: 7,
      nowUs: () => this.#nowUs,
      probe: this.#metered.probe,
    });
    this.#metered.attach(this.#driver);
    const flags = testCase.flags ?? [];
    const countsStreams = flags.includes("--enable-grpc-stream-metrics=true");
    this.#openStream = countsStreams ? this.#metered.streams().open : undefined;
    this.#machineOptions = {
      plan: readingPlanOf(this.#driver),
      blockIds,
      newRequestId: randomUUID,
      rewrite,
      removesClientHeaders: false,
      joinsSplitUsage: !flags.includes("--join-split-usage=false"),
      emitEndpointScores: !flags.includes("--emit-endpoint-scores=false"),
      limits: LIMITS,
      account: new BodyAccount(1 << 30),
      probe: this.#metered.probe,
    };
    const options = {
      ...OPTIONS,
      "strict-config": flags.includes("--strict-config"),
      "disable-endpoint-subset-filter": flags.some((flag) => /^--disable-endpoint-subset-filter(=true)?$/.test(flag)),
    };
    const source = { text: testCase.config.replaceAll("{endpoints}", "endpoints.yaml"), options };
    this.#driver.load(source);
    for (const [name, priority] of Object.entries(testCase.objectives ?? {})) {
      this.#driver.core.step({ type: "objectiveUpserted", atUs: this.#nowUs, name, priority });
    }
    this.#extractor = extractorOf(source);
    registerPluginMeasures(this.#metered.registry, () => this.#driver.core.plan);
  }

  run(): Played {
    this.#addEndpoints();
    this.#scrape();
    for (const step of this.#case.steps) {
      this.#nowUs += STEP_US;
      this.#scrape();
      if (step.send !== undefined) {
        for (const [key, value] of step.message?.request_headers?.headers ?? []) {
          if (key === "x-request-id") this.#ownIds.add(value);
        }
        this.#stream(step.send).send(encodeRequest(step.message!));
      } else if (step.end !== undefined) this.#stream(step.end).close("finished");
      else if (step.cancel !== undefined) this.#stream(step.cancel).close("reset");
      else if (step.scrape !== undefined) this.#scrapes.set(step.scrape, this.#metered.registry.metrics());
      else if (step.wait !== undefined) this.#nowUs += step.wait * 1000;
      else for (const [key, page] of Object.entries(step.metrics ?? {})) this.#pages.set(key, page);
    }
    for (const stream of this.#streams.values()) stream.close("finished");
    const streams: Record<string, StreamAnswers> = {};
    const bodies = new Map<string, Buffer>();
    for (const [name, stream] of this.#streams) {
      streams[name] = { messages: stream.messages.map((m) => this.#withoutChance(m)), status: stream.status! };
      bodies.set(name, Buffer.concat(stream.requestBody));
    }
    const { core } = this.#driver;
    this.#driver.close();
    return {
      answers: { start: "serving", streams },
      bodies,
      requestsLeft: core.requestCount,
      decisionHash: core.decisionHash,
      metrics: this.#metered.registry,
      scrapes: this.#scrapes,
    };
  }

  #addEndpoints(): void {
    const text = endpointsText(this.#case);
    const read = readEndpointsFile(text);
    if (read.errors.length > 0) throw new Error(read.errors.join("\n"));
    for (const endpoint of read.endpoints) {
      const place = this.#driver.upsert(endpoint)!;
      this.#slots.set(endpoint.metricsHost, { ...place, labels: endpoint.labels });
      this.#pages.set(endpoint.metricsHost, this.#case.metrics?.[endpoint.metricsHost] ?? null);
    }
  }

  #scrape(): void {
    for (const [host, { slot, generation, labels }] of this.#slots) {
      const page = this.#pages.get(host) ?? null;
      const text =
        typeof page === "string" ? page : page?.status === undefined || page.status === 200 ? page?.text : null;
      if (text === null || text === undefined) continue;
      const result = this.#extractor.extract(Buffer.from(text, "utf8"), { name: "", labels });
      if ("row" in result && result.row) this.#driver.scraped({ ...result.row, slot, generation });
    }
  }

  #stream(name: string): PlayedStream {
    const known = this.#streams.get(name);
    if (known) return known;
    const stream = new PlayedStream(
      this.#driver,
      this.#machineOptions,
      this.#metered.exchanges.open(),
      this.#openStream,
    );
    this.#streams.set(name, stream);
    return stream;
  }

  #withoutChance(message: AnswerMessage): AnswerMessage {
    if (!message.set_headers) return message;
    const set_headers = message.set_headers.map(([key, value, ...rest]): AnswerHeader =>
      key === "x-request-id" && UUID.test(String(value)) && !this.#ownIds.has(value)
        ? ([key, "<uuid>", ...rest] as unknown as AnswerHeader)
        : ([key, value, ...rest] as unknown as AnswerHeader),
    );
    return { ...message, set_headers };
  }
}

/** The extractor that the config names for the endpoints' pages. */
function extractorOf(source: ConfigSource): PageExtractor {
  const { sources } = readBlueprint(source).dataLayer;
  const extractors = sources.flatMap(({ extractors: named }) => named);
  const { params } = extractors.find(({ type }) => type === "core-metrics-extractor") ?? { params: {} };
  return createCoreMetricsExtractor(params as CoreMetricsExtractorParams);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** One stream: the machine, with the driver as its host, and what it answered. */
class PlayedStream {
  readonly messages: AnswerMessage[] = [];
  readonly requestBody: Buffer[] = [];
  status: { code: number; details?: string } | undefined;
  readonly #machine: ExtProcMachine;
  readonly #encode = createResponseEncoder();
  readonly #over: ((code: number) => void) | undefined;
  #isOver = false;
  #sent = 0;
  #key = -1;

  constructor(driver: CoreDriver, options: MachineOptions, meter: ExchangeMeter, openStream?: StreamMetrics["open"]) {
    this.#over = openStream?.();
    this.#machine = new ExtProcMachine(options, {
      meter,
      arrive: (facts) => {
        this.#key = driver.arrive(facts, {
          decided: (decision) => {
            this.#key = decision.facts.key;
            this.#machine.onDecision(decision);
          },
          blocks: (blockSizeTokens) => this.#machine.blocks(blockSizeTokens),
        });
      },
      responseStarted: (word) => driver.responseStarted(this.#key, word),
      responseFirstByte: () => driver.responseFirstByte(this.#key),
      ended: (cause, usage) => driver.ended(this.#key, cause, usage),
      send: (message) => {
        const { message: answer, body } = decodeResponse(Buffer.concat(this.#encode(message)), this.#sent);
        this.messages.push(answer);
        if (answer.type === "request_body" && body) this.requestBody.push(body);
      },
      finish: ({ code, details }) => {
        this.status ??= details ? { code, details } : { code };
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#sent++;
    if (!this.status) this.#machine.receive(decodeRequest(bytes, LIMITS));
  }

  close(how: "finished" | "reset"): void {
    if (!this.#isOver) this.#over?.(this.status?.code ?? 0);
    this.#isOver = true;
    if (!this.status) this.#machine.closed(how);
    this.status ??= { code: how === "reset" ? 1 : 0 };
  }
}
