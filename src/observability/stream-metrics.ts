import type { Registry } from "prom-client";
import { MetricFamily } from "./metric-family.ts";
import { STREAM_FAMILIES } from "./stock-families.ts";

/** Measures the ext_proc streams themselves (--enable-grpc-stream-metrics). */
export interface StreamMetrics {
  /** A stream opened. Gives what is to be called once when it is over, with its gRPC code. */
  readonly open: () => (code: number) => void;
}

/** gRPC codes by number, as Go spells them. */
const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/**
 * Families of streams, on the page from the first on (`spec/epp-core.md` 8; stock: metrics/grpc_stream_metrics.go).
 * @param nowSeconds a clock that never goes back
 */
export function createStreamMetrics(registry: Registry, nowSeconds: () => number): StreamMetrics {
  const inflight = new MetricFamily(STREAM_FAMILIES.inflight, registry).row();
  const seconds = new MetricFamily(STREAM_FAMILIES.seconds, registry).row();
  const streams = new MetricFamily(STREAM_FAMILIES.streams, registry);
  return {
    open() {
      const openedAt = nowSeconds();
      inflight.add();
      return (code) => {
        inflight.add(-1);
        seconds.observe(nowSeconds() - openedAt);
        streams.row(CODE_NAMES[code] ?? "Unknown").add();
      };
    },
  };
}
