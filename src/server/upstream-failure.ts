/** Why an attempt at a pod brought no answer. */
export interface UpstreamFailure {
  /**
   * `dead`: it took no connection or broke it before a byte of an answer came, so another pod may be tried. `silent`: it
   * took the request and said nothing in time. `garbled`: what it said is no HTTP. `unsendable`: the request itself.
   */
  readonly kind: "dead" | "silent" | "garbled" | "unsendable";
  /** In words, without addresses of headers or bodies. */
  readonly message: string;
}

const SILENT_CODES = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);
const DEAD_CODES = new Set([
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_SOCKET",
  "UND_ERR_DESTROYED",
  "UND_ERR_CLOSED",
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EADDRNOTAVAIL",
]);
const UNSENDABLE_CODES = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED"]);

/** Sorts an error of undici or of the socket below it. */
export function failureOf(error: Error): UpstreamFailure {
  const code = codeOf(error);
  const message = error.message || code;
  if (SILENT_CODES.has(code)) return { kind: "silent", message: "it did not answer in time" };
  if (DEAD_CODES.has(code)) return { kind: "dead", message };
  if (UNSENDABLE_CODES.has(code)) return { kind: "unsendable", message };
  return { kind: "garbled", message };
}

/** Code of an error; of one of its parts when it stands for several (a host with several addresses). */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code) return code;
  return error instanceof AggregateError && error.errors.length > 0 ? codeOf(error.errors[0] as Error) : "";
}
