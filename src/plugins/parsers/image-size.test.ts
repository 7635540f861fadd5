import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { imageSize } from "./image-size.ts";

function sizeOf(image: Uint8Array | string): unknown {
  const text = Buffer.from(typeof image === "string" ? image : Buffer.from(image).toString("base64"));
  return imageSize(text, 0, text.length);
}

function crc(bytes: Uint8Array): Buffer {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  const out = Buffer.alloc(4);
  out.writeUInt32BE(~value >>> 0);
  return out;
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const body = Buffer.concat([Buffer.from(type), data]);
  return Buffer.concat([length, body, crc(body)]);
}

function png(width: number, height: number, depth = 8, colour = 2, colours = 4): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const palette = colour === 3 ? chunk("PLTE", Buffer.alloc(3 * colours)) : Buffer.alloc(0);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    palette,
    chunk("IDAT", deflateSync(Buffer.alloc(10))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function gif(width: number, height: number, table = false): Buffer {
  const fields = table ? 0x80 : 0;
  const header = Buffer.from([width & 255, width >> 8, height & 255, height >> 8, fields, 0, 0]);
  return Buffer.concat([Buffer.from("GIF89a"), header, Buffer.alloc(table ? 6 : 0)]);
}

function jpeg(
  width: number,
  height: number,
  components = 3,
  samplings = [0x22, 0x11, 0x11, 0x22],
  name = "JFIF",
): Buffer {
  const app0 = Buffer.concat([
    Buffer.from([0xff, 0xe0, 0x00, 0x10]),
    Buffer.from(`${name}\0\x01\x02\0\0\x01\0\x01\0\0`, "latin1"),
  ]);
  const table = Buffer.concat([Buffer.from([0xff, 0xdb, 0x00, 0x43]), Buffer.alloc(0x41, 1)]);
  const frame = Buffer.from([
    0xff,
    0xff,
    0xc0,
    0,
    8 + 3 * components,
    8,
    height >> 8,
    height & 255,
    width >> 8,
    width & 255,
    components,
  ]);
  const parts = Buffer.from(Array.from({ length: components }, (_, i) => [i + 1, samplings[i], 0]).flat());
  return Buffer.concat([Buffer.from([0xff, 0xd8]), app0, table, frame, parts, Buffer.from([0xff, 0xda, 0, 8])]);
}

describe("imageSize", () => {
  it.each([
    ["PNG", png(640, 360)],
    ["PNG, 16 bits grey", png(640, 360, 16, 0)],
    ["PNG, palette", png(640, 360, 4, 3)],
    ["GIF", gif(640, 360)],
    ["GIF with a colour table", gif(640, 360, true)],
    ["JPEG", jpeg(640, 360)],
    ["grey JPEG", jpeg(640, 360, 1)],
    ["CMYK JPEG", jpeg(640, 360, 4)],
    ["JPEG without JFIF", jpeg(640, 360, 3, [0x21, 0x11, 0x11], "EXIF")],
  ])("reads a %s", (_name, image) => {
    expect(sizeOf(image)).toEqual({ width: 640, height: 360 });
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("hello world, no picture")],
    ["a PNG of no width", png(0, 5)],
    ["a PNG of negative height", png(5, 0x80000000)],
    ["a PNG of 3 bits", png(5, 5, 3)],
    ["a PNG with a wrong checksum", png(5, 5).fill(1, 29, 33)],
    ["a cut PNG", png(5, 5).subarray(0, 30)],
    ["a GIF without its colour table", gif(5, 5, true).subarray(0, 15)],
    ["a GIF of no height", gif(5, 0)],
    ["a GIF of an unknown version", Buffer.from("GIF88a\x05\0\x05\0\0\0\0", "latin1")],
    ["a PNG without colours in its palette", png(5, 5, 4, 3, 0)],
    ["a PNG with more colours than its depth allows", png(5, 5, 1, 3, 4)],
    ["a PNG cut in its palette", png(5, 5, 4, 3).subarray(0, 50)],
    ["a JPEG of two components", jpeg(5, 5, 2)],
    ["a JPEG of an unknown sampling", jpeg(5, 5, 3, [0x31, 0x11, 0x11])],
    ["a JPEG whose colours are finer than its light", jpeg(5, 5, 3, [0x11, 0x22, 0x22])],
    ["a JPEG without JFIF that ends before its scan", jpeg(5, 5, 3, [0x11, 0x11, 0x11], "EXIF").subarray(0, -4)],
    ["a cut JPEG", jpeg(5, 5).subarray(0, 90)],
    ["a JPEG that ends before its frame", Buffer.from([0xff, 0xd8, 0xff, 0xd9])],
  ])("finds none in %s", (_name, image) => {
    expect(sizeOf(image)).toBeUndefined();
  });

  it("passes line breaks over and refuses foreign characters", () => {
    const text = png(8, 6).toString("base64");
    expect(sizeOf(text.replace(/(.{20})/g, "$1\r\n"))).toEqual({ width: 8, height: 6 });
    expect(sizeOf(`${text.slice(0, 10)} ${text.slice(10)}`)).toBeUndefined();
    expect(sizeOf(text.slice(0, 22))).toBeUndefined();
  });

  it("never fails on damaged pictures", () => {
    const images = [png(5, 5), gif(5, 5, true), jpeg(5, 5)];
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(255), fc.nat(), (which, at, byte, length) => {
        const image = Buffer.from(images[which]);
        image[at % image.length] = byte;
        sizeOf(image.subarray(0, length % (image.length + 1)));
        return true;
      }),
    );
  });
});
