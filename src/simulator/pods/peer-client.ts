import { Agent, request as httpRequest } from "undici";
import { originOf } from "./http-listener.ts";

const ANSWER_BYTES_MAX = 64 * 1024;
/** Peers with open connections; a call to one more fails. */
const PEERS_MAX = 10_000;

/** Calls of one pod to others, over HTTP in the place of NIXL's side channel and RDMA. */
export class PeerClient {
  readonly #agent: Agent;
  readonly #msMax: number;

  /** A peer that takes longer than `msMax` has failed. */
  constructor(msMax: number) {
    this.#msMax = msMax;
    this.#agent = new Agent({
      connect: { timeout: msMax },
      maxResponseSize: ANSWER_BYTES_MAX,
      maxOrigins: PEERS_MAX,
    });
  }

  /** Posts a JSON object; returns the one of the answer. Rejects when the peer is not there or answers anything but 200. */
  async call(
    { host, port }: { readonly host: string; readonly port: number },
    path: string,
    body: object,
    signal?: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const timeUp = AbortSignal.timeout(this.#msMax);
    const answer = await httpRequest(`${originOf(host, port)}${path}`, {
      method: "POST",
      dispatcher: this.#agent,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeUp]) : timeUp,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`Cannot use peer ${host}:${port}: it answered ${answer.statusCode}`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}
