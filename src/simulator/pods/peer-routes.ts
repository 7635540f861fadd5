import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "./api-error.ts";
import { prefixHash } from "./kv-fetcher.ts";
import { parseObject } from "./openai-request.ts";
import type { PodRequest } from "./pod-request.ts";
import type { PodState } from "./pod-state.ts";
import { readBody } from "./read-body.ts";

/** A peer asks for held blocks: told what they hold, or 404 when they are not there (any more). */
export async function kvRead(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { fields, held } = await findHeld(pod, request);
  const own = new Set(pod.host.heldBlocks(held.id));
  const asked = fields["block_ids"];
  if (!Array.isArray(asked) || !asked.every((id) => own.has(id as number))) {
    throw new ApiError(404, "NotFoundError", `Cannot read blocks: request ${held.id} does not hold them all.`);
  }
  const { blockSizeTokens } = pod.settings.engine;
  pod.sendJson(response, {
    block_size: blockSizeTokens,
    tokens: held.promptTokens,
    prefix_hash: prefixHash(held, blockSizeTokens),
  });
}

/** A peer has read held blocks, or does not want them. */
export async function kvRelease(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { held } = await findHeld(pod, request);
  pod.kv!.holds.release(held.id);
  pod.sendJson(response, { released: true });
}

/** A peer asks for an encoded item: 404 when it is not there (any more). */
export async function ecRead(pod: PodState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const fields = parseObject(await readBody(request, pod.settings.bodyBytesMax));
  const { engine_id: engineId, hash } = fields;
  if (pod.kv === undefined || engineId !== pod.kv.engineId || typeof hash !== "string" || !pod.media.has(hash)) {
    throw new ApiError(404, "NotFoundError", "This item is not encoded here.");
  }
  pod.sendJson(response, { encoded: true });
}

async function findHeld(
  pod: PodState,
  request: IncomingMessage,
): Promise<{ fields: Readonly<Record<string, unknown>>; held: PodRequest }> {
  const fields = parseObject(await readBody(request, pod.settings.bodyBytesMax));
  const { engine_id: engineId, request_id: requestId } = fields;
  if (pod.kv === undefined) throw new ApiError(404, "NotFoundError", "This pod does not transfer KV.");
  if (engineId !== pod.kv.engineId) throw new ApiError(404, "NotFoundError", "This is another engine.");
  const held = typeof requestId === "string" ? pod.kv.holds.find(requestId) : undefined;
  if (!held) throw new ApiError(404, "NotFoundError", "No blocks are held for this request.");
  return { fields, held };
}
