import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { startGrpcJsTransport } from "./grpc-js-transport.ts";
import { directoryTls, type KeyPair, selfSignedTls, type TlsSource } from "./tls.ts";
import type { Transport } from "./transport.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const newPair = async (): Promise<KeyPair> => (await selfSignedTls()).current();

async function directoryWith(pair: KeyPair): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "tls-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  put(directory, pair);
  return directory;
}
function put(directory: string, { cert, key }: KeyPair): void {
  writeFileSync(join(directory, "tls.key"), key);
  writeFileSync(join(directory, "tls.crt"), cert);
}

async function serve(tls: TlsSource): Promise<Transport> {
  const transport = await startGrpcJsTransport(new Map(), {
    host: "127.0.0.1",
    port: 0,
    tls,
    receiveBytesMax: 1000,
    sendBytesMax: 1000,
    streamsPerConnectionMax: 10,
  });
  cleanups.push(() => transport.stop(0));
  return transport;
}

/** Certificate and protocol that a server offers. */
function offered(port: number): Promise<{ readonly cert: string; readonly protocol: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false }, () => {
      const cert = socket.getPeerX509Certificate()?.toString() ?? "";
      resolve({ cert, protocol: String(socket.alpnProtocol) });
      socket.destroy();
    });
    socket.on("error", reject);
  });
}
const pem = ({ cert }: KeyPair): string => new X509Certificate(cert).toString();

describe("selfSignedTls", () => {
  it("makes a pair for servers: ECDSA P-256, 10 years, no names", async () => {
    const certificate = new X509Certificate(await newPair().then(({ cert }) => cert));
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
    expect(certificate.subject).toBe("O=Inference Ext");
    expect(certificate.subjectAltName).toBeUndefined();
    const years = (Date.parse(certificate.validTo) - Date.parse(certificate.validFrom)) / (365.25 * 86_400_000);
    expect(years).toBeCloseTo(10, 1);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
  });

  it("makes another pair each time, and serves it with ALPN h2", async () => {
    const [first, second] = [await selfSignedTls(), await selfSignedTls()];
    expect(pem(first.current())).not.toBe(pem(second.current()));
    const { port } = await serve(first);
    await expect
      .poll(() => offered(port).catch(() => undefined))
      .toEqual({ cert: pem(first.current()), protocol: "h2" });
  });
});

describe("directoryTls", () => {
  it("serves the directory's pair", async () => {
    const pair = await newPair();
    const { port } = await serve(await directoryTls(await directoryWith(pair), { reload: false }));
    await expect.poll(() => offered(port).catch(() => undefined)).toMatchObject({ cert: pem(pair) });
  });

  it("takes a new pair over for new connections, and keeps the old one when the new one is broken", async () => {
    const [first, second] = [await newPair(), await newPair()];
    const directory = await directoryWith(first);
    const reloads: (Error | undefined)[] = [];
    const source = await directoryTls(directory, { reload: true, onReload: (error) => reloads.push(error) });
    cleanups.push(() => source.close());
    const { port } = await serve(source);

    writeFileSync(join(directory, "tls.crt"), second.cert);
    await expect.poll(() => reloads.length, { timeout: 5000 }).toBe(1);
    expect(reloads[0]?.message).toMatch(/^Cannot use tls.crt and tls.key of .*: .*mismatch/);
    expect(await offered(port)).toMatchObject({ cert: pem(first) });

    put(directory, second);
    await expect.poll(() => reloads.at(-1), { timeout: 5000 }).toBeUndefined();
    expect(await offered(port)).toMatchObject({ cert: pem(second) });
  });

  it.each([
    ["a file is missing", "tls.key", undefined, /no such file/],
    ["a file is no PEM", "tls.crt", "nothing", /Cannot use tls.crt and tls.key of /],
  ])("refuses to start when %s", async (_, name, text, message) => {
    const directory = await directoryWith(await newPair());
    if (text === undefined) rmSync(join(directory, name));
    else writeFileSync(join(directory, name), text);
    await expect(directoryTls(directory, { reload: false })).rejects.toThrow(message);
  });
});
