import type { Base64Reader } from "./base64-reader.ts";
import type { PixelSize } from "../../core/media.ts";

const FRAME_FIRST = 0xc0;
const FRAME_LAST = 0xc2;
const HUFFMAN_TABLES = 0xc4;
const RESTART_FIRST = 0xd0;
const RESTART_LAST = 0xd7;
const END = 0xd9;
const SCAN = 0xda;
const QUANTISATION_TABLES = 0xdb;
const RESTART_INTERVAL = 0xdd;
const APP_FIRST = 0xe0;
const APP_LAST = 0xef;
const COMMENT = 0xfe;
/** Greatest number of a quantisation table. */
const TABLE_MAX = 3;

/** Size of a JPEG, behind its first marker: at the frame header of a JFIF file, at the first scan of any other. */
export function jpegSize(reader: Base64Reader): PixelSize | undefined {
  let size: PixelSize | undefined;
  let isJfif = false;
  while (!reader.failed) {
    let marker = reader.next();
    if (marker !== 0xff) continue;
    while (marker === 0xff) marker = reader.next();
    // Stuffed data is passed over, and restart markers, which have no length.
    if (marker === 0 || (marker >= RESTART_FIRST && marker <= RESTART_LAST)) continue;
    if (marker === END) return undefined;
    const length = ((reader.next() << 8) | reader.next()) - 2;
    if (length < 0 || reader.failed) return undefined;
    if (marker >= FRAME_FIRST && marker <= FRAME_LAST) {
      if (size !== undefined) return undefined;
      size = frameSize(reader, length);
      if (size === undefined || isJfif) return size;
    } else if (marker === SCAN) {
      return size;
    } else if (marker === APP_FIRST && length >= 5) {
      isJfif = reader.expect("JFIF\0", length);
    } else if (isSkippable(marker)) {
      reader.skip(length);
    } else {
      return undefined;
    }
  }
  return undefined;
}

function isSkippable(marker: number): boolean {
  if (marker === HUFFMAN_TABLES || marker === QUANTISATION_TABLES || marker === RESTART_INTERVAL) return true;
  return (marker >= APP_FIRST && marker <= APP_LAST) || marker === COMMENT;
}

/** A frame header: 8-bit samples of one, three or four components. */
function frameSize(reader: Base64Reader, length: number): PixelSize | undefined {
  const components = (length - 6) / 3;
  if (components !== 1 && components !== 3 && components !== 4) return undefined;
  const precision = reader.next();
  const height = (reader.next() << 8) | reader.next();
  const width = (reader.next() << 8) | reader.next();
  if (precision !== 8 || reader.next() !== components) return undefined;
  const ids: number[] = [];
  const samplings: number[] = [];
  for (let i = 0; i < components; i++) {
    ids.push(reader.next());
    samplings.push(reader.next());
    if (reader.next() > TABLE_MAX) return undefined;
  }
  const areFine = samplings.every(isFactorPair) && areDecodable(samplings);
  return new Set(ids).size === components && areFine ? { width, height } : undefined;
}

/** Both sampling factors of a component are 1, 2 or 4. */
function isFactorPair(sampling: number): boolean {
  return [sampling >> 4, sampling & 15].every((factor) => factor === 1 || factor === 2 || factor === 4);
}

/** The combinations of sampling factors that Go's decoder knows. */
function areDecodable(samplings: readonly number[]): boolean {
  const [first, second, third, fourth] = samplings;
  if (samplings.length === 1) return true;
  if (samplings.length === 4) {
    return (first === 0x11 || first === 0x22) && second === 0x11 && third === 0x11 && fourth === first;
  }
  const isMultiple = (first >> 4) % (second >> 4) === 0 && (first & 15) % (second & 15) === 0;
  return (first & 15) !== 4 && isMultiple && third === second;
}
