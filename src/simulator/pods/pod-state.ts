import type { ServerResponse } from "node:http";
import { EngineHost } from "./engine-host.ts";
import type { PodFaults } from "./faults.ts";
import { KvTransfer } from "./kv-transfer.ts";
import { LoraStates } from "./lora-states.ts";
import { MediaEncoder } from "./media-encoder.ts";
import type { PodSettings } from "./pod-options.ts";
import { RequestStats } from "./request-stats.ts";

/** What the routes of one pod share. */
export class PodState {
  readonly settings: PodSettings;
  readonly stats: RequestStats;
  readonly host: EngineHost;
  readonly kv: KvTransfer | undefined;
  readonly media: MediaEncoder;
  readonly lora = new LoraStates();
  readonly startedSeconds = Date.now() / 1000;
  /** On every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly httpRequests = new Map<string, { labels: Record<string, string>; count: number }>();
  faults: PodFaults = {};
  /** Closes the port for a while; set by the server. */
  refuseFor: (ms: number) => void = () => {};
  #requests = 0;

  constructor(settings: PodSettings) {
    this.settings = settings;
    this.stats = new RequestStats(settings.engine.modelLenTokensMax);
    this.host = new EngineHost(settings, this.stats);
    this.media = new MediaEncoder(settings, this.host.clock);
    const { kvTransfer, engine } = settings;
    this.kv = kvTransfer && new KvTransfer(this.host, kvTransfer, engine.blockSizeTokens);
    this.headers = { "x-served-by": settings.name };
  }

  /** Unique within the pod. */
  nextRequestId(): string {
    return `${this.settings.name}-${(++this.#requests).toString(16).padStart(8, "0")}`;
  }

  sendJson(response: ServerResponse, value: unknown): void {
    const body = JSON.stringify(value);
    response.writeHead(200, {
      ...this.headers,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  }

  /** Counts an answer; `handler` is a known path or "none", so there are few. */
  countAnswer(handler: string, method: string, status: number): void {
    const labels = { handler, method, status: `${Math.floor(status / 100)}xx` };
    const key = `${handler} ${method} ${labels.status}`;
    const entry = this.httpRequests.get(key);
    if (entry) entry.count++;
    else this.httpRequests.set(key, { labels, count: 1 });
  }
}
