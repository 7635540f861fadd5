/** How many pseudo tokens the estimate tokeniser gives a picture, a video, a sound (plugins.md 6.3). */
import { imageSize, type ImageSize } from "./image-size.ts";

/** Settings of the estimate tokeniser; the defaults are the stock EPP's. */
export interface MediaSettings {
  /** Size of a picture that is not in the request itself. */
  readonly imageSize: ImageSize;
  /** Pixels a token of a picture. */
  readonly imagePixelsPerToken: number;
  readonly videoSize: ImageSize;
  readonly videoPixelsPerToken: number;
  readonly videoSeconds: number;
  readonly videoFramesPerSecond: number;
}

export const DEFAULT_MEDIA: MediaSettings = {
  imageSize: { width: 640, height: 360 },
  imagePixelsPerToken: 1024,
  videoSize: { width: 640, height: 360 },
  videoPixelsPerToken: 1024,
  videoSeconds: 10,
  videoFramesPerSecond: 2,
};

const DATA_IMAGE = new TextEncoder().encode("data:image/");
const BASE64 = new TextEncoder().encode("base64,");

/** Tokens of a picture given by a URL: by its own size when that is a base64 `data:` URL of a PNG, JPEG or GIF. */
export function imageUrlTokens(settings: MediaSettings, bytes: Uint8Array, start: number, end: number): number {
  const payload = startsWith(bytes, start, end, DATA_IMAGE) ? indexAfter(bytes, start, end, BASE64) : -1;
  return imageTokens(settings, payload < 0 ? undefined : imageSize(bytes, payload, end));
}

/** Tokens of a picture given as bare base64. */
export function imagePayloadTokens(settings: MediaSettings, bytes: Uint8Array, start: number, end: number): number {
  return imageTokens(settings, imageSize(bytes, start, end));
}

function imageTokens(settings: MediaSettings, found: ImageSize | undefined): number {
  return areaTokens(found ?? settings.imageSize, settings.imagePixelsPerToken);
}

/**
 * Tokens of a video. The request headers `x-llm-d-video-duration-seconds` and `x-llm-d-video-resolution` count before
 * the settings. (`x-llm-d-video-fps` names the source's rate, which sampling does not use.)
 */
export function videoTokens(settings: MediaSettings, header: (name: string) => string | undefined): number {
  const seconds = positiveNumber(header("x-llm-d-video-duration-seconds")) ?? settings.videoSeconds;
  const size = resolution(header("x-llm-d-video-resolution")) ?? settings.videoSize;
  const frames = Math.floor(seconds * settings.videoFramesPerSecond);
  return Math.max(1, frames * areaTokens(size, settings.videoPixelsPerToken));
}

/** Tokens of a sound of so many bytes (base64 text and format name together). */
export function audioTokens(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 4));
}

function areaTokens(size: ImageSize, pixelsPerToken: number): number {
  return Math.max(1, Math.floor((size.width * size.height) / pixelsPerToken));
}

function positiveNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

function resolution(text: string | undefined): ImageSize | undefined {
  const match = /^\s*\+?(\d{1,9})\s*x\s*\+?(\d{1,9})\s*$/i.exec(text ?? "");
  const width = Number(match?.[1] ?? 0);
  const height = Number(match?.[2] ?? 0);
  return width > 0 && height > 0 ? { width, height } : undefined;
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

/** Offset behind the first occurrence of `part`; -1 when there is none. */
function indexAfter(bytes: Uint8Array, start: number, end: number, part: Uint8Array): number {
  for (let p = start; p + part.length <= end; p++) {
    if (startsWith(bytes, p, end, part)) return p + part.length;
  }
  return -1;
}
