import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HttpResponseReader } from "./http-response.ts";
import { PageBuffer, PageBuffers } from "./page-buffers.ts";

const buffers = () => new PageBuffers({ pageBytesMax: 1 << 20, pageBytesInFlightMax: 1 << 22 });

interface Response {
  readonly status: number;
  readonly body: Uint8Array;
  /** Bytes of each chunk; undefined for a body by its length. */
  readonly chunks: readonly number[] | undefined;
  readonly trailers: boolean;
}

function render({ status, body, chunks, trailers }: Response): Buffer {
  const head = `HTTP/1.1 ${status} Whatever\r\nserver: x\r\n`;
  if (!chunks) return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  const parts = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
  for (let at = 0, k = 0; at < body.length; k++) {
    const size = Math.min(Math.max(chunks[k % chunks.length], 1), body.length - at);
    const line = `${size.toString(16)}${k % 2 ? ";x=y" : ""}\r\n`;
    parts.push(Buffer.from(line), Buffer.from(body.subarray(at, at + size)), Buffer.from("\r\n"));
    at += size;
  }
  parts.push(Buffer.from(`0\r\n${trailers ? "a: b\r\nc: d\r\n" : ""}\r\n`));
  return Buffer.concat(parts);
}

describe("HTTP response reader", () => {
  it("reads one response after the other, however the bytes are cut", () => {
    const response: fc.Arbitrary<Response> = fc.record({
      status: fc.constantFrom(200, 200, 200, 404),
      body: fc.uint8Array({ maxLength: 400 }),
      chunks: fc.option(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 4 }), { nil: undefined }),
      trailers: fc.boolean(),
    });
    const cuts = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 6 });
    const page = new PageBuffer(buffers());
    const reader = new HttpResponseReader(page);
    fc.assert(
      fc.property(fc.array(response, { minLength: 1, maxLength: 3 }), cuts, (responses, sizes) => {
        for (const one of responses) {
          reader.reset();
          expect(reader.untouched).toBe(true);
          const bytes = render(one);
          let done = false;
          for (let at = 0, k = 0; at < bytes.length; k++) {
            expect(done).toBe(false);
            const chunk = bytes.subarray(at, at + sizes[k % sizes.length]);
            done = reader.feed(chunk, chunk.length);
            at += chunk.length;
          }
          expect(done).toBe(true);
          expect(reader.status).toBe(one.status);
          expect(reader.keepsAlive).toBe(true);
          expect([...page.bytes()]).toEqual(one.status === 200 ? [...one.body] : []);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: Close\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", true],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nmore", false],
    ["HTTP/1.1 204 No Content\r\n\r\n", true],
  ])("after %j the connection can be used again: %s", (text, keepsAlive) => {
    const reader = new HttpResponseReader(new PageBuffer(buffers()));
    const bytes = Buffer.from(text);
    expect(reader.feed(bytes, bytes.length)).toBe(true);
    expect(reader.keepsAlive).toBe(keepsAlive);
  });

  it("survives any bytes", () => {
    const token = fc.constantFrom(
      "HTTP/1.1 200 OK",
      "\r\n",
      "\n",
      "content-length: 5",
      "transfer-encoding: chunked",
      "5",
      "0",
      "a",
      ":",
      " ",
      ";",
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), (tokens) => {
        const reader = new HttpResponseReader(new PageBuffer(buffers()));
        const bytes = Buffer.from(tokens.join(""));
        try {
          reader.feed(bytes, bytes.length);
          reader.end();
        } catch (error) {
          expect((error as Error).message).toMatch(/^(the|a) .*(answer|chunk|page)|^a chunk|^the page/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("page buffers", () => {
  it("count what is in use, and use it again", () => {
    const pool = new PageBuffers({ pageBytesMax: 10_000_000, pageBytesInFlightMax: 3_000_000 });
    const chunk = new Uint8Array(600_000).fill(7);
    const page = new PageBuffer(pool);
    expect(pool.bytesInFlight).toBe(0);
    page.append(chunk, 0, 600_000);
    page.append(chunk, 0, 300_000);
    expect(page.bytes()).toHaveLength(900_000);
    expect(page.bytes().every((byte) => byte === 7)).toBe(true);
    const used = pool.bytesInFlight;
    expect(used).toBeGreaterThanOrEqual(900_000);
    page.clear();
    expect([pool.bytesInFlight, page.length]).toEqual([0, 0]);
    const others = Array.from({ length: 6 }, () => new PageBuffer(pool));
    expect(() => {
      for (const other of others) other.append(chunk, 0, 600_000);
    }).toThrow("metrics pages being read take more than 3000000 bytes together");
    expect(pool.bytesInFlight).toBeLessThanOrEqual(3_000_000);
    for (const other of others) other.clear();
    expect(pool.bytesInFlight).toBe(0);
    const buffer = pool.take(100);
    pool.give(buffer);
    expect(pool.take(200) === buffer).toBe(true);
  });
});
