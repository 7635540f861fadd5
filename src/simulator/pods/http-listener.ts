import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Opens a port (0: a free one); returns its number. Rejects when it can't be opened. */
export function openPort(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new Error(`Cannot open port ${port} on ${host}: ${error.message}`, { cause: error }));
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** `http://HOST:PORT`, an IPv6 address in brackets. */
export const originOf = (host: string, port: number): string =>
  `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Closes the port and every connection. */
export function closePort(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
