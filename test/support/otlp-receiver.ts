import { fileURLToPath } from "node:url";
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { onTestFinished } from "vitest";

/** A span as it was received. Ids in hex, "" for none; times in nanoseconds. */
export interface ReceivedSpan {
  readonly service: unknown;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** 1 internal, 2 server. */
  readonly kind: number;
  readonly startNano: bigint;
  readonly endNano: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0 unset, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
}

export interface OtlpReceiver {
  /** host:port. */
  readonly address: string;
  /** All spans so far, in the order in which they came. */
  readonly spans: readonly ReceivedSpan[];
  /** Everything that came, as text. */
  readonly text: string;
  /** Values of a gRPC metadata key, one a call. */
  metadata(key: string): readonly unknown[];
}

interface AnyValue {
  readonly value?: string;
  readonly arrayValue?: { readonly values: readonly AnyValue[] };
  readonly [kind: string]: unknown;
}
type KeyValues = readonly { readonly key: string; readonly value: AnyValue }[];
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: KeyValues };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly {
        readonly traceId: Buffer;
        readonly spanId: Buffer;
        readonly parentSpanId: Buffer;
        readonly name: string;
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: KeyValues;
        readonly status: { readonly code: number; readonly message: string } | null;
      }[];
    }[];
  }[];
}

/** Starts an OTLP/gRPC trace receiver for the test that runs, on grpc-js; over TLS with a certificate (PEM). */
export async function startOtlpReceiver(tls?: {
  readonly cert: string;
  readonly private: string;
}): Promise<OtlpReceiver> {
  const definition = loadSync(fileURLToPath(new URL("otlp-trace.proto", import.meta.url)), {
    longs: String,
    defaults: true,
    oneofs: true,
  });
  const service = loadPackageDefinition(definition) as unknown as {
    opentelemetry: { proto: { collector: { trace: { v1: { TraceService: ServiceClientConstructor } } } } };
  };
  const spans: ReceivedSpan[] = [];
  const texts: string[] = [];
  const calls: Readonly<Record<string, unknown>>[] = [];
  const server = new Server();
  server.addService(service.opentelemetry.proto.collector.trace.v1.TraceService.service, {
    Export(call: ServerUnaryCall<ExportRequest, object>, answer: sendUnaryData<object>) {
      calls.push(call.metadata.getMap());
      texts.push(JSON.stringify(call.request));
      spans.push(...spansOf(call.request));
      answer(null, {});
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = tls
      ? ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.private) },
        ])
      : ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  return {
    address: `127.0.0.1:${port}`,
    spans,
    get text() {
      return texts.join("\n");
    },
    metadata: (key) => calls.map((call) => call[key]),
  };
}

const spansOf = ({ resourceSpans }: ExportRequest): readonly ReceivedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const about = valuesOf(resource.attributes);
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        service: about["service.name"],
        resource: about,
        scope: scope.name,
        traceId: span.traceId.toString("hex"),
        spanId: span.spanId.toString("hex"),
        parentSpanId: span.parentSpanId.toString("hex"),
        name: span.name,
        kind: span.kind,
        startNano: BigInt(span.startTimeUnixNano),
        endNano: BigInt(span.endTimeUnixNano),
        attributes: valuesOf(span.attributes),
        status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
      })),
    );
  });

const valuesOf = (pairs: KeyValues): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));

function plain(value: AnyValue): unknown {
  if (value.arrayValue && value.value === "arrayValue") return value.arrayValue.values.map(plain);
  const found = value[value.value ?? ""];
  return value.value === "intValue" ? Number(found) : found;
}
