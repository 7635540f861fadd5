import { parseArgs } from "node:util";
import { didYouMean } from "../config/did-you-mean.ts";
import { bool, bytes, choice, duration, type Flag, int, port, text } from "../config/flag-kinds.ts";

const file = { placeholder: "FILE" };

/** The gateway's command line; what epp has too has the same name and meaning there. Help is printed from this. */
const GROUPS = {
  "Endpoints and config": {
    endpoints: text("endpoints", "", "Endpoints file (YAML or JSON), watched; else the config's file-discovery.", file),
    configFile: text("config-file", "", "EndpointPickerConfig file; without one the built-in default.", file),
    configText: text("config-text", "", "The same as text; not with --config-file."),
    allowExperimentalPlugins: bool("allow-experimental-plugins", false, "Allows plugin types that are alpha."),
    refreshMetricsIntervalUs: duration("refresh-metrics-interval", "50ms", "Time between scrapes of a pod."),
    seed: int("seed", -1, "Seed of all chance; without one it is drawn at the start.", {
      defaultText: "",
      min: 0,
      max: 0xffff_ffff,
    }),
    rewrite: choice("rewrite", ["splice", "stock"], "splice", "How a model name is rewritten in a body."),
  },
  Server: {
    host: text("host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all.", { placeholder: "ADDRESS" }),
    port: port("port", 8080, "Port to listen on; 0 for a free one."),
    metricsPort: port("metrics-port", 0, "Port of the gateway's own metrics page, on the same address; 0 for none."),
    drainTimeoutUs: duration("drain-timeout", "30s", "Running requests may end for so long after SIGTERM."),
    verbosity: int("v", 2, "How much is logged: 2 default, 4 debug, 5 trace."),
  },
  "Limits, and what is answered at them": {
    connectionsMax: int("connections-max", 16_384, "Client connections: the next is closed.", { min: 1 }),
    requestsMax: int("requests-max", 8192, "Requests at once: 503.", { min: 1 }),
    bodyBytesMax: bytes("body-bytes-max", "32MiB", "Largest request body: 413."),
    bodyBytesInFlightMax: bytes("body-bytes-in-flight-max", "512MiB", "Bytes of bodies held at once: 503."),
    headerBytesMax: bytes("header-bytes-max", "64KiB", "Headers of a request: 431; of an answer: 502."),
    headersTimeoutUs: duration("headers-timeout", "30s", "A client's headers are there by then: 408."),
    requestTimeoutUs: duration("request-timeout", "5m", "A client's body is there by then: 408."),
    keepAliveTimeoutUs: duration("keep-alive-timeout", "75s", "An idle client connection is closed."),
    connectTimeoutUs: duration("connect-timeout", "2s", "A pod takes the connection by then: the next pod is tried."),
    responseHeadersTimeoutUs: duration("response-headers-timeout", "1000s", "A pod answers by then: 504."),
    responseIdleTimeoutUs: duration("response-idle-timeout", "1000s", "Silence inside an answer: it is broken off."),
    retriesMax: int("retries-max", 3, "Further pods that are tried for one request: 502.", { min: 0, max: 100 }),
    prefixIndexBytesMax: bytes("prefix-index-bytes-max", "256MiB", "Memory of a prefix index: the oldest entries go."),
  },
} as const;

type Groups = typeof GROUPS;
type Union<U> = (U extends unknown ? (value: U) => void : never) extends (value: infer I) => void ? I : never;
type Table = Union<Groups[keyof Groups]>;

/** Values of all flags. Durations in microseconds, sizes in bytes. */
export type GatewayArgs = { readonly [K in keyof Table]: Table[K] extends Flag<infer T> ? T : never };

const TABLE = Object.assign({}, ...Object.values(GROUPS)) as Readonly<Record<string, Flag<unknown>>>;

/** Reads the arguments; all that is wrong with them at once. */
export function parseGatewayArgs(argv: readonly string[]): GatewayArgs | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const options = Object.fromEntries(
    Object.values(TABLE).map((flag) => [flag.name, { type: flag.alone === undefined ? "string" : "boolean" } as const]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const given = new Map<string, string | undefined>();
  for (const token of tokens) {
    if (token.kind === "positional")
      problems.push(`found argument ${JSON.stringify(token.value)}, expected flags only`);
    else if (token.kind === "option" && token.name in options) given.set(token.name, token.value);
    else if (token.kind === "option") {
      const near = didYouMean(token.name, Object.keys(options));
      problems.push(`found ${token.rawName}, no such flag${near ? `; did you mean --${near}?` : ""}`);
    }
  }
  const values = Object.fromEntries(
    Object.entries(TABLE).map(([key, flag]) => [key, valueOf(flag, given, problems)]),
  ) as unknown as GatewayArgs;
  if (values.configFile !== "" && values.configText !== "") {
    problems.push("found --config-file and --config-text, expected one of them");
  }
  return problems.length > 0 ? { problems } : values;
}

function valueOf(flag: Flag<unknown>, given: ReadonlyMap<string, string | undefined>, problems: string[]): unknown {
  if (!given.has(flag.name)) return flag.default;
  const text = given.get(flag.name);
  if (text === undefined && flag.alone !== undefined) return flag.alone;
  const value = text === undefined ? undefined : flag.parse(text, undefined);
  if (value !== undefined) return value;
  const found = text === undefined ? "nothing" : JSON.stringify(text);
  problems.push(`found ${found} for --${flag.name}, expected ${flag.expects}`);
  return flag.default;
}

/** All flags by group. */
export function gatewayFlagsHelp(): string {
  return Object.entries(GROUPS)
    .map(
      ([title, flags]) =>
        `${title}\n${Object.values(flags as Record<string, Flag<unknown>>)
          .map(line)
          .join("\n")}`,
    )
    .join("\n\n");
}

function line({ name, placeholder, help, defaultText }: Flag<unknown>): string {
  const shown = defaultText === "" || defaultText === "false" ? "" : ` (default ${defaultText})`;
  return `  ${`--${name} ${placeholder}`.trimEnd().padEnd(36)}${help}${shown}`;
}
