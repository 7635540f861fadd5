import type { IncomingMessage } from "node:http";
import { encodeBody, isHostPort, mediaParts } from "./sidecar-bodies.ts";
import type { SidecarUpstream } from "./sidecar-upstream.ts";

type Fields = Readonly<Record<string, unknown>>;

/** More items than that are not sent to encode pods; the engine refuses the request. */
const ITEMS_MAX = 64;

export interface EncodedMedia {
  /** Items that encode pods were asked for, 0 when the prompt has none. */
  readonly items: number;
  /** Of these, the ones that failed. */
  readonly failed: number;
  /** `ec_transfer_params`: where the others are. */
  readonly ecTransferParams: Fields;
}

/** Has each item of a chat encoded, all at once, the encode pods in turn. */
export async function encodeMedia(
  upstream: SidecarUpstream,
  targets: readonly string[],
  request: IncomingMessage,
  fields: Fields,
  gone: AbortSignal,
): Promise<EncodedMedia> {
  const parts = mediaParts(fields);
  const items = parts.length <= ITEMS_MAX ? parts : [];
  const id = String(request.headers["x-request-id"]);
  const answers = await Promise.all(
    items.map(async (item, i) => {
      const target = targets[i % targets.length];
      if (!isHostPort(target)) return undefined;
      const leg = { url: request.url ?? "/", headers: { ...request.headers, "x-request-id": `${id}-enc-${i}` } };
      const answer = await upstream.prefill(target, leg, encodeBody(fields, item), gone);
      return answer.kind === "done" ? answer.answer.ecTransferParams : undefined;
    }),
  );
  const found = answers.filter((answer) => answer !== undefined);
  const ecTransferParams = Object.assign({}, ...found) as Fields;
  return { items: items.length, failed: answers.length - found.length, ecTransferParams };
}
