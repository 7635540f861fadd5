/** Width and height of a base64 PNG, JPEG or GIF, read from its header as Go's image packages do. */
import { Base64Reader } from "./base64-reader.ts";

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Size of the picture in `bytes[start, end)`; undefined when it is none of the three or its header is broken. */
export function imageSize(bytes: Uint8Array, start: number, end: number): ImageSize | undefined {
  const reader = new Base64Reader(bytes, start, end);
  const first = reader.next();
  let size: ImageSize | undefined;
  if (first === 0x89 && reader.expect("PNG\r\n\x1a\n")) size = pngSize(reader);
  else if (first === 0xff && reader.next() === 0xd8) size = jpegSize(reader);
  else if (first === 0x47 && reader.expect("IF8")) size = gifSize(reader);
  return size !== undefined && size.width > 0 && size.height > 0 && !reader.failed ? size : undefined;
}

function gifSize(reader: Base64Reader): ImageSize | undefined {
  const version = reader.next();
  if ((version !== 0x37 && version !== 0x39) || reader.next() !== 0x61) return undefined;
  const width = reader.next() | (reader.next() << 8);
  const height = reader.next() | (reader.next() << 8);
  const fields = reader.next();
  reader.skip(2);
  // The colour table has to be there.
  if ((fields & 0x80) !== 0) reader.skip(3 << ((fields & 7) + 1));
  return { width, height };
}

/** Bit depths that PNG allows for each colour type. */
const PNG_DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

function pngSize(reader: Base64Reader): ImageSize | undefined {
  if (uint32(reader) !== 13) return undefined;
  const chunk = new Uint8Array(17);
  for (let i = 0; i < chunk.length; i++) chunk[i] = reader.next();
  if (String.fromCharCode(...chunk.subarray(0, 4)) !== "IHDR" || uint32(reader) !== crc32(chunk)) return undefined;
  const view = new DataView(chunk.buffer);
  const width = view.getInt32(4);
  const height = view.getInt32(8);
  const [depth, colour, compression, filter, interlace] = chunk.subarray(12);
  if (compression !== 0 || filter !== 0 || interlace > 1) return undefined;
  return (PNG_DEPTHS[colour] ?? []).includes(depth) ? { width, height } : undefined;
}

function jpegSize(reader: Base64Reader): ImageSize | undefined {
  while (!reader.failed) {
    let marker = reader.next();
    if (marker !== 0xff) continue;
    while (marker === 0xff) marker = reader.next();
    // Stuffed data, and restart markers, which have no length.
    if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) continue;
    const length = marker === 0xd9 ? 0 : ((reader.next() << 8) | reader.next()) - 2;
    if (marker >= 0xc0 && marker <= 0xc2) return jpegFrame(reader, length);
    const known = marker === 0xc4 || marker === 0xdb || marker === 0xdd || marker >= 0xe0;
    if (!known || length < 0 || (marker > 0xef && marker !== 0xfe)) return undefined;
    reader.skip(length);
  }
  return undefined;
}

/** A frame header of 8-bit samples with one, three or four components. */
function jpegFrame(reader: Base64Reader, length: number): ImageSize | undefined {
  if (length !== 9 && length !== 15 && length !== 18) return undefined;
  if (reader.next() !== 8) return undefined;
  const height = (reader.next() << 8) | reader.next();
  const width = (reader.next() << 8) | reader.next();
  if (reader.next() !== (length - 6) / 3) return undefined;
  reader.skip(length - 6);
  return { width, height };
}

function uint32(reader: Base64Reader): number {
  return ((reader.next() << 24) | (reader.next() << 16) | (reader.next() << 8) | reader.next()) >>> 0;
}

/** CRC-32 as PNG uses it (ISO 3309), bit by bit: it is taken over 17 bytes. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320);
  }
  return ~crc >>> 0;
}
