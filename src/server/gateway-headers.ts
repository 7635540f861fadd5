import { DESTINATION_HEADER, REQUEST_ID_HEADER } from "../protocol/header-rules.ts";

/** Headers that are about one connection and end at a proxy (RFC 9110 7.6.1), by lower-case name. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Set anew towards the pod: the length by who sends the body; an expectation was answered here. */
const SET_ANEW: ReadonlySet<string> = new Set(["content-length", "expect", DESTINATION_HEADER, REQUEST_ID_HEADER]);

/** Names and values in turn, as `IncomingMessage.rawHeaders` has them. */
export type FlatHeaders = readonly string[];

/** The headers that go past a proxy: all but the hop-by-hop ones and those that `connection` names. */
export function endToEndHeaders(headers: FlatHeaders): string[] {
  const named = namedByConnection(headers);
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i].toLowerCase();
    if (!HOP_BY_HOP.has(name) && !named.has(name)) kept.push(headers[i], headers[i + 1]);
  }
  return kept;
}

export interface PodRequestHeaders {
  /** `ip:port,...`: the pod is told what was picked, as it is behind Envoy. */
  readonly destination: string;
  readonly requestId: string;
  /** What plugins set (value) or took away (undefined), by lower-case name. */
  readonly edits: ReadonlyMap<string, string | undefined>;
}

/** Headers of the request to the pod. Content-Length is not among them: it is set by who sends the body. */
export function podRequestHeaders(
  headers: FlatHeaders,
  { destination, requestId, edits }: PodRequestHeaders,
): string[] {
  const passed = endToEndHeaders(headers);
  const out: string[] = [];
  for (let i = 0; i < passed.length; i += 2) {
    const name = passed[i].toLowerCase();
    if (!SET_ANEW.has(name) && !edits.has(name)) out.push(passed[i], passed[i + 1]);
  }
  out.push(DESTINATION_HEADER, destination, REQUEST_ID_HEADER, requestId);
  for (const [name, value] of edits) {
    if (value !== undefined && !SET_ANEW.has(name) && !HOP_BY_HOP.has(name)) out.push(name, value);
  }
  return out;
}

/** Headers of the answer to the client: the pod's, those that plugins set, and the mark of the stock EPP. */
export function clientResponseHeaders(
  headers: FlatHeaders,
  edits: ReadonlyMap<string, string>,
  keepsLength: boolean,
): string[] {
  const passed = endToEndHeaders(headers);
  const out: string[] = [];
  for (let i = 0; i < passed.length; i += 2) {
    const name = passed[i].toLowerCase();
    if (name === MARK || edits.has(name) || (name === "content-length" && !keepsLength)) continue;
    out.push(passed[i], passed[i + 1]);
  }
  out.push(MARK, "true");
  for (const [name, value] of edits) out.push(name, value);
  return out;
}

const MARK = "x-went-into-resp-headers";

function namedByConnection(headers: FlatHeaders): ReadonlySet<string> {
  const named = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].toLowerCase() !== "connection") continue;
    for (const name of headers[i + 1].split(",")) named.add(name.trim().toLowerCase());
  }
  return named;
}
