/** How many pseudo tokens the estimate tokeniser gives a picture, a video, a sound (plugins.md 6.3). */
import type { AreaTokens, MediaSettings, PixelSize } from "../../core/media.ts";
import { imageSize } from "./image-size.ts";

const DATA_IMAGE = new TextEncoder().encode("data:image/");
const BASE64 = new TextEncoder().encode("base64,");

/** Tokens of a picture given by a URL: by its own size when that is a base64 `data:` URL of a PNG, JPEG or GIF. */
export function imageUrlTokens({ image }: MediaSettings, bytes: Uint8Array, start: number, end: number): number {
  // The size of a picture that has a fixed number of tokens is not even looked for.
  if (image.mode === "static") return image.tokens;
  const payload = startsWith(bytes, start, end, DATA_IMAGE) ? indexAfter(bytes, start, end, BASE64) : -1;
  return areaTokens(image, payload < 0 ? undefined : imageSize(bytes, payload, end));
}

/** Tokens of a picture given as bare base64. */
export function imagePayloadTokens({ image }: MediaSettings, bytes: Uint8Array, start: number, end: number): number {
  return image.mode === "static" ? image.tokens : areaTokens(image, imageSize(bytes, start, end));
}

/**
 * Tokens of a video: frames by tokens a frame, at most `videoTokensMax`, at least 1. What the request's headers
 * `x-llm-d-video-duration-seconds`, `-resolution` and `-fps` say counts before the settings; the last is the source's
 * rate, which only strided frames depend on.
 */
export function videoTokens(settings: MediaSettings, header: (name: string) => string | undefined): number {
  const tokens =
    frameCount(settings, header) * areaTokens(settings.frame, resolution(header("x-llm-d-video-resolution")));
  const { videoTokensMax } = settings;
  return Math.max(1, videoTokensMax > 0 ? Math.min(tokens, videoTokensMax) : tokens);
}

/** Tokens of a sound of so many bytes (base64 text and format name together). */
export function audioTokens(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 4));
}

/** Bounds hold before sampled frames are merged, as stock. */
function frameCount(settings: MediaSettings, header: (name: string) => string | undefined): number {
  const { frames, framesMin, framesMax } = settings;
  const seconds = positiveNumber(header("x-llm-d-video-duration-seconds")) ?? settings.videoSeconds;
  const bounded = (count: number) => {
    const raised = framesMin > 0 ? Math.max(count, framesMin) : count;
    return framesMax > 0 ? Math.min(raised, framesMax) : raised;
  };
  if (frames.mode === "sampled") {
    return Math.floor(bounded(Math.floor(seconds * frames.perSecond)) / frames.merged);
  }
  const perSecond = positiveNumber(header("x-llm-d-video-fps")) ?? frames.sourcePerSecond;
  return bounded(Math.floor(Math.floor(seconds * perSecond) / frames.stride));
}

function areaTokens(area: AreaTokens, found: PixelSize | undefined): number {
  if (area.mode === "static") return area.tokens;
  const { width, height } = found ?? area.size;
  return Math.max(1, Math.floor((width * height) / area.pixelsPerToken));
}

function positiveNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

function resolution(text: string | undefined): PixelSize | undefined {
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
