import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readScrapeTls } from "./scrape-tls.ts";

const PARAMS = {
  scheme: "https" as const,
  path: "/metrics",
  insecureSkipVerify: false,
  caCertPath: "",
  clientCertPath: "",
  clientKeyPath: "",
  interval: 0,
};

describe("TLS of the scraper", () => {
  let folder: string;
  let pair: { cert: string; private: string };
  const at = (name: string) => join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "warmpath-tls-"));
    pair = await generate([{ name: "commonName", value: "x" }], { keyType: "ec" });
    const other = await generate([{ name: "commonName", value: "y" }], { keyType: "ec" });
    await writeFile(at("cert.pem"), pair.cert);
    await writeFile(at("key.pem"), pair.private);
    await writeFile(at("other.pem"), other.private);
    await writeFile(at("junk"), "hello\n");
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("is none for plain HTTP", async () => {
    expect(
      await readScrapeTls({ ...PARAMS, scheme: "http", caCertPath: at("gone") }, "metrics-data-source"),
    ).toBeUndefined();
  });

  it("reads the files", async () => {
    const files = { caCertPath: at("cert.pem"), clientCertPath: at("cert.pem"), clientKeyPath: at("key.pem") };
    expect(await readScrapeTls({ ...PARAMS, ...files }, "metrics-data-source")).toEqual({
      insecureSkipVerify: false,
      ca: pair.cert,
      cert: pair.cert,
      key: pair.private,
    });
  });

  it("leaves the authorities unread when certificates go unchecked", async () => {
    const tls = await readScrapeTls(
      { ...PARAMS, insecureSkipVerify: true, caCertPath: at("gone") },
      "metrics-data-source",
    );
    expect(tls).toEqual({ insecureSkipVerify: true });
  });

  it.each([
    ["a missing file", { caCertPath: "gone" }, /^Cannot read caCertPath .*gone: ENOENT/],
    ["no PEM", { caCertPath: "junk" }, /^Cannot use caCertPath .*junk: it holds no PEM block$/],
    [
      "a key of another certificate",
      { clientCertPath: "cert.pem", clientKeyPath: "other.pem" },
      /^Cannot use the certificates of metrics-data-source/,
    ],
  ])("rejects %s", async (_, files, error) => {
    const params = { ...PARAMS, ...Object.fromEntries(Object.entries(files).map(([key, name]) => [key, at(name)])) };
    await expect(readScrapeTls(params, "metrics-data-source")).rejects.toThrow(error);
  });
});
