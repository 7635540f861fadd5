import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { blockIds } from "../core/block-ids.ts";
import type { RewriteMode } from "../core/parser.ts";
import { BodyAccount } from "../protocol/body-account.ts";
import type { MachineOptions, ProtocolLimits, ReadingPlan } from "../protocol/machine-options.ts";
import type { ExchangeMeter } from "../protocol/exchange-meter.ts";
import { countedStreams } from "./counted-streams.ts";
import { serveExtProc } from "./ext-proc-stream.ts";
import { startGrpcJsTransport } from "./grpc-js-transport.ts";
import { guardedProbe } from "./guarded-probe.ts";
import { healthMethods, type HealthSource, SERVING_STATUS } from "./health.ts";
import type { PickerPort } from "./picker-port.ts";
import type { TlsSource } from "./tls.ts";
import type { Methods, StartTransport, StreamHandler, Transport } from "./transport.ts";

const EXT_PROC_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor";

/** Limits of the server, each with its answer at it. */
interface ExtProcLimits extends ProtocolLimits {
  /** Most bytes of bodies that are held for all streams: the request that crosses it gets 503. */
  readonly bodyBytesInFlightMax: number;
  /** Largest gRPC message that is taken (--grpc-max-recv-msg-size): RESOURCE_EXHAUSTED above. */
  readonly receiveBytesMax: number;
  /** Largest gRPC message that is sent (--grpc-max-send-msg-size): likewise. */
  readonly sendBytesMax: number;
  /** Most streams on one connection; Envoy waits, or opens another one. */
  readonly streamsPerConnectionMax: number;
}

const DEFAULT_LIMITS: ExtProcLimits = {
  headersMax: 1000,
  headerBytesMax: 1024 * 1024,
  bodyBytesMax: 32 * 1024 * 1024,
  bodyBytesInFlightMax: 512 * 1024 * 1024,
  receiveBytesMax: 4 * 1024 * 1024,
  sendBytesMax: 2 ** 31 - 1,
  streamsPerConnectionMax: 16_384,
};

export interface ExtProcServerOptions {
  readonly picker: PickerPort;
  /** What has to be read of requests; asked for each. */
  readonly plan: () => ReadingPlan;
  /** Address to listen on; default: all. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Port of the health service alone, plain text; undefined for none. The ext_proc port serves it too. */
  readonly healthPort?: number;
  /** Undefined for h2c. */
  readonly tls?: TlsSource;
  readonly rewrite?: RewriteMode;
  /** Default true. */
  readonly removesClientHeaders?: boolean;
  /** Default true. */
  readonly joinsSplitUsage?: boolean;
  readonly emitEndpointScores?: boolean;
  readonly limits?: Partial<ExtProcLimits>;
  /** True when requests can be served; default: always. A server that drains is not, whatever this says. */
  readonly ready?: () => boolean;
  /** How long `drain` goes on serving (--drain-timeout). */
  readonly drainTimeoutMs?: number;
  /** How long running streams have after that; then they are broken off. */
  readonly stopGraceMs?: number;
  readonly startTransport?: StartTransport;
  /** Opens the meters of a stream; absent: nothing is measured. */
  readonly openMeters?: () => readonly ExchangeMeter[];
  /** Told of each stream that opens; gives what is called when it is over, with its gRPC code. Absent: nobody counts them. */
  readonly openStream?: () => (code: number) => void;
  /** Times the parsers. */
  readonly probe?: MachineOptions["probe"];
  /** Told of errors that should not be, with the request's x-request-id once that is known; each cost one stream. */
  readonly failed?: (error: unknown, requestId: string | undefined) => void;
  /** Told of what a meter, a probe or `openStream` threw: no stream suffers from it. */
  readonly observerFailed?: (error: unknown) => void;
}

export interface ExtProcServer {
  readonly port: number;
  /** Port of the health service; undefined without one. */
  readonly healthPort: number | undefined;
  /** Streams that are open. */
  readonly streamCount: number;
  /** Bytes of bodies that are held. */
  readonly bodyBytesInFlight: number;
  /**
   * What SIGTERM does: reports NOT_SERVING at once, serves on for `drainTimeoutMs` (as stock the whole of it, even when
   * idle, so that every proxy hears of it), then stops.
   */
  drain(): Promise<void>;
  /** Takes no more streams, lets the running ones end for at most `graceMs` (default 0), then breaks them off. */
  stop(graceMs?: number): Promise<void>;
}

const DRAIN_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 60_000;

/** Starts the ext_proc server and its health service. Resolves once both listen. */
export async function startExtProcServer(options: ExtProcServerOptions): Promise<ExtProcServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const account = new BodyAccount(limits.bodyBytesInFlightMax);
  const start = options.startTransport ?? startGrpcJsTransport;
  let draining = false;
  let streamCount = 0;

  const ready = (): boolean => !draining && (options.ready?.() ?? true);
  const health: HealthSource = {
    statusOf: () => (ready() ? SERVING_STATUS.serving : SERVING_STATUS.notServing),
    listed: [EXT_PROC_SERVICE],
  };
  const stream = {
    machine: machineOptions(options, limits, account),
    picker: options.picker,
    openMeters: options.openMeters,
    failed: failedOf(options),
    observerFailed: observerFailedOf(options),
  };
  const serve: StreamHandler = (serverStream) => serveExtProc(serverStream, stream);
  const counted = options.openStream ? countedStreams(serve, options.openStream, observerFailedOf(options)) : serve;
  const process: StreamHandler = (serverStream) => {
    streamCount++;
    const events = counted(serverStream);
    return {
      ...events,
      onClosed(how) {
        streamCount--;
        events.onClosed(how);
      },
    };
  };
  const methods: Methods = new Map([[`/${EXT_PROC_SERVICE}/Process`, process], ...healthMethods(health)]);
  const listening = { host: options.host, tls: options.tls, ...limits };
  const extProc = await start(methods, { ...listening, port: options.port });
  let healthOnly: Transport | undefined;
  if (options.healthPort !== undefined) {
    try {
      healthOnly = await start(healthMethods(health), { ...listening, tls: undefined, port: options.healthPort });
    } catch (error) {
      await extProc.stop(0);
      throw error;
    }
  }
  const stop = async (graceMs = 0): Promise<void> => {
    draining = true;
    await extProc.stop(graceMs);
    await healthOnly?.stop(0);
  };
  return {
    port: extProc.port,
    healthPort: healthOnly?.port,
    get streamCount() {
      return streamCount;
    },
    get bodyBytesInFlight() {
      return account.bytes;
    },
    stop,
    async drain() {
      draining = true;
      await delay(options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS);
      await stop(options.stopGraceMs ?? STOP_GRACE_MS);
    },
  };
}

const machineOptions = (
  options: ExtProcServerOptions,
  limits: ExtProcLimits,
  account: BodyAccount,
): MachineOptions => ({
  plan: options.plan,
  blockIds,
  newRequestId: randomUUID,
  rewrite: options.rewrite ?? "splice",
  removesClientHeaders: options.removesClientHeaders ?? true,
  joinsSplitUsage: options.joinsSplitUsage ?? true,
  emitEndpointScores: options.emitEndpointScores ?? false,
  limits,
  account,
  ...(options.probe && { probe: guardedProbe(options.probe, observerFailedOf(options)) }),
});

const failedOf = (options: ExtProcServerOptions) => options.failed ?? (() => undefined);

const observerFailedOf = (options: ExtProcServerOptions) => options.observerFailed ?? (() => undefined);
