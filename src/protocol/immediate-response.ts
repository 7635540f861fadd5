import { REJECTION_STATUS, type Rejection, rejectionText } from "../core/rejection.ts";
import { BODY_MODE, type ImmediateAnswer } from "./messages.ts";
import { bytesOf } from "../core/text.ts";

const DROPPED_REASON_HEADER = "x-llm-d-request-dropped-reason";

/** The answer that a refused request's client gets: HTTP status and text of the rejection. */
export function immediateAnswer(rejection: Rejection): ImmediateAnswer {
  const { droppedReason } = rejection;
  return {
    kind: "immediate",
    status: REJECTION_STATUS[rejection.code],
    body: bytesOf(rejectionText(rejection)),
    setHeaders: droppedReason ? [{ key: DROPPED_REASON_HEADER, value: bytesOf(droppedReason) }] : [],
  };
}

/** No parser claims the path, and none is the fallback. */
export const noParser = (path: string): Rejection => ({
  code: "BadRequest",
  message: `no parser registered matching path suffix for: ${path}`,
});

/** A body is larger than one body may be. */
export const bodyTooLarge = (bodyBytesMax: number): Rejection => ({
  code: "PayloadTooLarge",
  message: `cannot take the request body: it is larger than ${bodyBytesMax} bytes, the most that is allowed (bodyBytesMax)`,
});

/** The bodies of all requests together are at their limit. */
export const BODIES_FULL: Rejection = {
  code: "ServiceUnavailable",
  message: "cannot take the request body: too many bytes of bodies are in flight (bodyBytesInFlightMax), try again",
  droppedReason: "rejected-saturated",
};

/** Request headers exceed a limit, named in `excess`. */
export const headersTooLarge = (excess: string): Rejection => ({
  code: "BadRequest",
  message: `cannot take the request headers: ${excess}`,
});

/** A name in the body is longer than names may be. */
export const nameTooLong = (field: string, name: string, charsMax: number): Rejection => ({
  code: "BadRequest",
  message: `cannot take the request: its ${field} has ${name.length} characters, at most ${charsMax} are allowed`,
});

/** The proxy sends bodies in a way by which a request cannot be routed. */
export const unroutableBodyMode = (mode: number): Rejection => ({
  code: "Internal",
  message:
    `cannot route by a body in request_body_mode ${bodyModeName(mode)}: ` +
    "set processing_mode.request_body_mode of the ext_proc filter to FULL_DUPLEX_STREAMED or BUFFERED",
});

/** Under BUFFERED_PARTIAL the proxy sent only the beginning of a body, and it can't be read. */
export const BODY_CUT_OFF: Rejection = {
  code: "PayloadTooLarge",
  message: "cannot route by a part of a body: it is larger than the proxy's buffer under BUFFERED_PARTIAL",
};

const MODE_NAMES = new Map<number, string>([
  [BODY_MODE.none, "NONE"],
  [BODY_MODE.streamed, "STREAMED"],
  [5, "GRPC"],
]);
const bodyModeName = (mode: number): string => MODE_NAMES.get(mode) ?? String(mode);
