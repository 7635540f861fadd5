import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the pod got it. */
export interface PodRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
}

/** An HTTP server in a pod's place: keeps what it gets, answers as told. */
export class HttpPod {
  readonly requests: PodRequest[] = [];
  /** Answers a request that was read whole. */
  answer: (request: PodRequest, response: ServerResponse) => void;
  readonly #server: Server;

  private constructor(answer: HttpPod["answer"]) {
    this.answer = answer;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** Starts one on a free port of 127.0.0.1. */
  static async start(answer: HttpPod["answer"]): Promise<HttpPod> {
    const pod = new HttpPod(answer);
    pod.#server.listen(0, "127.0.0.1");
    await once(pod.#server, "listening");
    return pod;
  }

  /** `ip:port` */
  get target(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    response.on("error", () => undefined);
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const got: PodRequest = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      trailers: request.trailers,
      body: Buffer.concat(chunks),
    };
    this.requests.push(got);
    this.answer(got, response);
  }
}
