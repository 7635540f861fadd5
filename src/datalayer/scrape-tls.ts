import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { HttpSourceParams } from "../plugins/data-layer/http-source-params.ts";
import type { ScrapeTls } from "./scrape-connection.ts";

/**
 * TLS of a data source from its parameters: undefined for plain HTTP. As stock, the authorities
 * are not read when certificates go unchecked. Rejects when a file can't be read or holds no certificate or key.
 */
export async function readScrapeTls(
  params: Omit<HttpSourceParams, "path" | "port" | "interval">,
  name: string,
): Promise<ScrapeTls | undefined> {
  const { scheme, insecureSkipVerify, caCertPath, clientCertPath, clientKeyPath } = params;
  if (scheme === "http") return undefined;
  const ca = insecureSkipVerify ? undefined : await authorities(caCertPath);
  const client =
    clientCertPath === ""
      ? {}
      : { cert: await readPem("clientCertPath", clientCertPath), key: await readPem("clientKeyPath", clientKeyPath) };
  try {
    createSecureContext({ ...(ca !== undefined && { ca }), ...client });
  } catch (error) {
    const files = [caCertPath, clientCertPath, clientKeyPath].filter((path) => path !== "").join(", ");
    throw new Error(`Cannot use the certificates of ${name} (${files}): ${(error as Error).message}`, {
      cause: error,
    });
  }
  return { insecureSkipVerify, ...(ca !== undefined && { ca }), ...client };
}

/** Where systems keep the authorities that they trust, in Go's order. */
const SYSTEM_CA_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Authorities of a file, or those of the system, as stock; undefined for Node's own where the system has none. */
async function authorities(caCertPath: string): Promise<string | undefined> {
  if (caCertPath !== "") return readAuthorities(caCertPath);
  const { SSL_CERT_FILE } = process.env;
  for (const path of SSL_CERT_FILE ? [SSL_CERT_FILE] : SYSTEM_CA_FILES) {
    const pem = await readFile(path, "utf8").catch(() => "");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  }
  return undefined;
}

/** Reads the authorities. Node passes over what it can't read among them, and would then trust nobody without a word. */
async function readAuthorities(path: string): Promise<string> {
  const pem = await readPem("caCertPath", path);
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (!blocks.some(isCertificate)) throw new Error(`Cannot use caCertPath ${path}: it holds no certificate`);
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    void new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

async function readPem(parameter: string, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new Error(`Cannot read ${parameter} ${path}: ${(error as Error).message}`, { cause: error });
  }
  if (!text.includes("-----BEGIN ")) throw new Error(`Cannot use ${parameter} ${path}: it holds no PEM block`);
  return text;
}
