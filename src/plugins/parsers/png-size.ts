import type { Base64Reader } from "./base64-reader.ts";
import type { PixelSize } from "../../core/media.ts";

/** Bit depths that PNG allows for each colour type. */
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const PALETTE = 3;
const LENGTH_MAX = 0x7fffffff;

/** CRC-32 as PNG uses it (ISO 3309). */
const CRC_TABLE = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320);
  CRC_TABLE[i] = crc;
}

/** A chunk whose content is being read. */
interface Chunk {
  readonly type: string;
  readonly length: number;
  crc: number;
}

/** Size of a PNG, behind its signature. With a palette, Go reads on to the palette and the chunk that may follow it. */
export function pngSize(reader: Base64Reader): PixelSize | undefined {
  const header = openChunk(reader);
  if (header.type !== "IHDR" || header.length !== 13) return undefined;
  const width = uint32(reader, header) | 0;
  const height = uint32(reader, header) | 0;
  const depth = next(reader, header);
  const colour = next(reader, header);
  const isPlain = next(reader, header) === 0 && next(reader, header) === 0 && next(reader, header) <= 1;
  if (!isPlain || !(DEPTHS[colour] ?? []).includes(depth) || !isIntact(reader, header)) return undefined;
  return colour !== PALETTE || hasPalette(reader, depth) ? { width, height } : undefined;
}

function hasPalette(reader: Base64Reader, depth: number): boolean {
  let isSeen = false;
  while (!reader.failed) {
    const chunk = openChunk(reader);
    const { type, length } = chunk;
    if (type === "IDAT") return isSeen;
    if (type === "IHDR" || type === "IEND" || length > LENGTH_MAX) return false;
    if (type === "PLTE") {
      const colours = length / 3;
      if (isSeen || !Number.isInteger(colours) || colours === 0 || colours > 1 << depth) return false;
      isSeen = true;
    } else if (type === "tRNS" && (!isSeen || length > 256)) {
      return false;
    }
    for (let i = 0; i < length && !reader.failed; i++) next(reader, chunk);
    if (!isIntact(reader, chunk)) return false;
    if (type === "tRNS") return true;
  }
  return false;
}

function openChunk(reader: Base64Reader): Chunk {
  const chunk = { type: "", length: 0, crc: 0xffffffff };
  const length = uint32(reader, chunk);
  chunk.crc = 0xffffffff;
  const type = String.fromCharCode(next(reader, chunk), next(reader, chunk), next(reader, chunk), next(reader, chunk));
  return { type, length, crc: chunk.crc };
}

/** Reads the checksum at a chunk's end. */
function isIntact(reader: Base64Reader, chunk: Chunk): boolean {
  const crc = ~chunk.crc >>> 0;
  return uint32(reader, chunk) === crc;
}

function next(reader: Base64Reader, chunk: { crc: number }): number {
  const byte = reader.next();
  chunk.crc = (chunk.crc >>> 8) ^ CRC_TABLE[(chunk.crc ^ byte) & 0xff];
  return byte;
}

function uint32(reader: Base64Reader, chunk: { crc: number }): number {
  const high = (next(reader, chunk) << 24) | (next(reader, chunk) << 16);
  return (high | (next(reader, chunk) << 8) | next(reader, chunk)) >>> 0;
}
