import { once } from "node:events";
import { connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { startExtProcServer } from "../../src/server/ext-proc-server.ts";
import { readingPlanOf } from "../../src/server/reading-plan.ts";
import { connectBytes, type BytesClient } from "../../src/server/test-support/grpc-client.ts";
import { RawHttp2 } from "../../src/server/test-support/raw-http2.ts";
import { configsToFuzz, recordedSequences } from "./corpus.ts";
import { hostileStreams } from "./hostile.ts";
import { mutate, mutatedBytes, withBody } from "./mutations.ts";
import { Random } from "./random.ts";
import { Target } from "./target.ts";

/** Mutated messages over a connection: a hundredth of those in process. */
const COUNT = Number(process.env["FUZZ_COUNT"] ?? 20_000) / 100;
const SEED = Number(process.env["FUZZ_SEED"] ?? 1) >>> 0;
const PATH = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
const STREAMS_AT_ONCE = 16;
/** Node 20 refuses a connection after a thousand. */
const RESETS_PER_CONNECTION = 100;
const GARBAGE_CONNECTIONS = 50;
/** OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED. */
const CLEAN_CODES = [0, 3, 8];

/** The real server on a free port, with all parsers. */
async function startServer() {
  const target = new Target(configsToFuzz()[0]);
  const server = await startExtProcServer({
    picker: target.driver,
    plan: readingPlanOf(target.driver),
    host: "127.0.0.1",
    port: 0,
    limits: { receiveBytesMax: 1 << 20 },
    failed: (error) => target.errors.push(error),
  });
  const client = connectBytes(server.port);
  onTestFinished(async () => {
    client.close();
    await server.stop();
    target.driver.close();
  });
  const expectQuiet = async () => {
    await expect.poll(() => server.streamCount).toBe(0);
    expect(target.errors).toEqual([]);
    expect(server.bodyBytesInFlight).toBe(0);
    expect(target.driver.core.requestCount).toBe(0);
  };
  return { server, client, expectQuiet };
}

const REQUEST = recordedSequences().find((sequence) => sequence.length > 2)!;

/** A recorded request is answered. */
async function expectServing(client: BytesClient): Promise<void> {
  const call = client.open(PATH);
  for (const message of REQUEST) call.call.write(Buffer.from(message));
  expect((await call.next()).length).toBeGreaterThan(0);
  call.call.end();
  expect((await call.status).code).toBe(0);
}

it("mutated streams over gRPC, plain and gzip, get an answer or a clean status", async () => {
  const { server, client, expectQuiet } = await startServer();
  const sequences = recordedSequences();
  const random = new Random(SEED);
  const codes = new Map<number, number>();
  let count = 0;
  let streams = 0;
  let resets = 0;
  const raws: RawHttp2[] = [];
  const serveSome = async (): Promise<void> => {
    while (count < COUNT) {
      const { messages, mutatedCount } = mutate(random.of(sequences), sequences, random);
      count += mutatedCount;
      streams++;
      if (random.oneIn(8)) {
        if (resets++ % RESETS_PER_CONNECTION === 0) raws.push(await RawHttp2.connect(server.port));
        raws.at(-1)?.callAndReset(PATH, messages);
        continue;
      }
      const { call, status } = client.open(PATH, { gzip: random.oneIn(4) });
      for (const message of messages) call.write(Buffer.from(message));
      call.end();
      const { code, details } = await status;
      expect(CLEAN_CODES, `${code} ${details}`).toContain(code);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: STREAMS_AT_ONCE }, serveSome));
  for (const raw of raws) raw.close();
  await expectServing(client);
  await expectQuiet();
  const shown = [...codes].map(([code, times]) => `${times} with ${code}`).join(", ");
  console.log(
    `fuzz over gRPC: seed ${SEED}, ${count} mutated messages in ${streams} streams, ${resets} reset, ${shown}, 0 failures`,
  );
});

it("hostile streams over gRPC end with a clean status", async () => {
  const { client, expectQuiet } = await startServer();
  for (const { name, messages } of hostileStreams()) {
    const { call, status } = client.open(PATH);
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    const { code, details } = await status;
    expect(CLEAN_CODES, `${name}: ${code} ${details}`).toContain(code);
  }
  await expectServing(client);
  await expectQuiet();
});

it("a message that unpacks to more than may be received ends its own stream", async () => {
  const { client, expectQuiet } = await startServer();
  const bomb = client.open(PATH, { gzip: true });
  bomb.call.write(Buffer.from(withBody(4, Buffer.alloc(100 << 20), true)));
  expect((await bomb.status).code).toBe(8);
  await expectServing(client);
  await expectQuiet();
});

it("connections of garbage end, and others go on", async () => {
  const { server, client, expectQuiet } = await startServer();
  const random = new Random(SEED);
  const settings = Buffer.from("000000040000000000", "hex");
  const start = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]);
  for (let i = 0; i < GARBAGE_CONNECTIONS; i++) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    const frames = mutatedBytes(Buffer.concat(REQUEST), Buffer.concat(REQUEST), random);
    socket.resume().end(random.oneIn(4) ? frames : Buffer.concat([start, frames]));
    await once(socket, "close");
  }
  await expectServing(client);
  await expectQuiet();
});
