/**
 * Width and height of a base64 PNG, JPEG or GIF, read from its header as far as Go's image packages read it for
 * `image.DecodeConfig`: a picture that those refuse has no size here either.
 */
import type { PixelSize } from "../../core/media.ts";
import { Base64Reader } from "./base64-reader.ts";
import { jpegSize } from "./jpeg-size.ts";
import { pngSize } from "./png-size.ts";

/** Size of the picture in `bytes[start, end)`; undefined when it is none of the three or its header is broken. */
export function imageSize(bytes: Uint8Array, start: number, end: number): PixelSize | undefined {
  const reader = new Base64Reader(bytes, start, end);
  const first = reader.next();
  let size: PixelSize | undefined;
  if (first === 0x89 && reader.expect("PNG\r\n\x1a\n")) size = pngSize(reader);
  else if (first === 0xff && reader.next() === 0xd8) size = jpegSize(reader);
  else if (first === 0x47 && reader.expect("IF8")) size = gifSize(reader);
  return size !== undefined && size.width > 0 && size.height > 0 && !reader.failed ? size : undefined;
}

/** Behind `GIF8`: version, size, and a colour table, which has to be there when it is announced. */
function gifSize(reader: Base64Reader): PixelSize | undefined {
  const version = reader.next();
  if ((version !== 0x37 && version !== 0x39) || reader.next() !== 0x61) return undefined;
  const width = reader.next() | (reader.next() << 8);
  const height = reader.next() | (reader.next() << 8);
  const fields = reader.next();
  reader.skip(2);
  if ((fields & 0x80) !== 0) reader.skip(3 << ((fields & 7) + 1));
  return { width, height };
}
