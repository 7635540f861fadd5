import type { IncomingMessage } from "node:http";
import type { Rejection } from "../core/rejection.ts";
import type { BodyShare } from "../protocol/body-account.ts";
import { ByteCollector } from "../protocol/byte-collector.ts";
import { BODIES_FULL, bodyTooLarge } from "../protocol/immediate-response.ts";

/** True when the request's head announces a body: the rule by which Envoy ends a request at its headers. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined) return true;
  return Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Reads a request's body whole. Calls back once: with the bytes, or with what to answer. What comes after a refusal is
 * dropped unread. Never calls back for a client that goes away first.
 */
export function readBody(
  request: IncomingMessage,
  share: BodyShare,
  bodyBytesMax: number,
  done: (outcome: Uint8Array | Rejection) => void,
): void {
  const collector = new ByteCollector();
  const end = (outcome: Uint8Array | Rejection): void => {
    request.off("data", take);
    request.off("end", complete);
    done(outcome);
  };
  const refuse = (rejection: Rejection): void => {
    collector.takePieces();
    share.give(share.bytes);
    end(rejection);
    request.resume();
  };
  const take = (chunk: Uint8Array): void => {
    if (collector.length + chunk.length > bodyBytesMax) refuse(bodyTooLarge(bodyBytesMax));
    else if (!share.take(chunk.length)) refuse(BODIES_FULL);
    else collector.push(chunk);
  };
  const complete = (): void => end(collector.takeWhole());
  request.on("data", take);
  request.on("end", complete);
  if (Number(request.headers["content-length"] ?? 0) > bodyBytesMax) refuse(bodyTooLarge(bodyBytesMax));
}
