import type { IncomingMessage } from "node:http";
import { ApiError } from "./api-error.ts";

/** What is read and thrown away after a body was refused, so that the client can read the answer. */
const DISCARD_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The whole body as text. Rejects with ApiError 413 when it is longer than `bytesMax`, with a plain error when the
 * client goes away before its end.
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const declared = Number(request.headers["content-length"] ?? 0);
    let refused = false;
    const refuse = (): void => {
      if (refused) return;
      refused = true;
      chunks.length = 0;
      reject(new ApiError(413, "BadRequestError", `The body is longer than ${bytesMax} bytes.`));
    };
    if (declared > bytesMax) refuse();
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax + DISCARD_BYTES_MAX) request.destroy();
      else if (bytes > bytesMax || declared > bytesMax) refuse();
      else chunks.push(chunk);
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("close", () => {
      if (!request.complete) reject(new Error("Cannot read body: the client went away"));
    });
    request.once("error", reject);
  });
}
