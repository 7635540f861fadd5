import { noParams } from "../params.ts";
import { defineUnbuilt } from "./define-unbuilt.ts";

/** Parsers take no parameters, and pass over those that are given, as stock (8). */
export const UNBUILT_PARSERS = ["sglanghttp-parser", "vllmgrpc-parser", "vertexai-parser"].map((type) =>
  defineUnbuilt({ type, points: ["parser"], params: noParams, ignoresParams: true }),
);
