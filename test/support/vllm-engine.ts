import { fromJSON } from "@grpc/proto-loader";
import {
  credentials,
  makeClientConstructor,
  Metadata,
  Server,
  ServerCredentials,
  type Client,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { MESSAGES } from "../../src/plugins/parsers/test-support/grpc-messages.ts";

/** Messages of vLLM's gRPC API as plain objects. */
export type Fields = Readonly<Record<string, unknown>>;

const definitions = fromJSON(
  {
    nested: {
      vllm: {
        nested: {
          grpc: {
            nested: {
              engine: {
                nested: {
                  ...MESSAGES,
                  VllmEngine: {
                    methods: {
                      Generate: {
                        requestType: "GenerateRequest",
                        responseType: "GenerateResponse",
                        responseStream: true,
                      },
                      Embed: { requestType: "EmbedRequest", responseType: "EmbedResponse" },
                    },
                  },
                },
              },
            },
          },
        },
      },
    },
  } as unknown as Parameters<typeof fromJSON>[0],
  { keepCase: true, defaults: true },
);
const service = definitions["vllm.grpc.engine.VllmEngine"] as ServiceDefinition;

/** A pod of vLLM's gRPC API on a free port. */
export class EnginePod {
  readonly target: string;
  readonly #server: Server;

  private constructor(server: Server, target: string) {
    this.#server = server;
    this.target = target;
  }

  static async start(
    generate: handleServerStreamingCall<Fields, Fields>,
    embed: handleUnaryCall<Fields, Fields>,
  ): Promise<EnginePod> {
    const server = new Server();
    server.addService(service, { Generate: generate, Embed: embed });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return new EnginePod(server, `127.0.0.1:${port}`);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

/** A client of that API. */
export class EngineClient {
  readonly #client: Client;

  constructor(target: string) {
    const Constructor = makeClientConstructor(service, "VllmEngine");
    this.#client = new Constructor(target, credentials.createInsecure());
  }

  /** All messages of an answer; rejects with the status when it is no OK. */
  async generate(request: Fields): Promise<readonly Fields[]> {
    const { path, requestSerialize, responseDeserialize } = service["Generate"];
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
    );
    const messages: Fields[] = [];
    for await (const message of call) messages.push(message as Fields);
    return messages;
  }

  embed(request: Fields): Promise<Fields> {
    const { path, requestSerialize, responseDeserialize } = service["Embed"];
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        (error, value) => (error ? reject(error) : resolve(value as Fields)),
      );
    });
  }

  close(): void {
    this.#client.close();
  }
}
