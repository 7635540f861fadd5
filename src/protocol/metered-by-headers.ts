import { DEFAULT_FAIRNESS_ID, FAIRNESS_HEADERS, MODEL_REWRITE_HEADERS } from "../core/control-headers.ts";
import type { MeteredRequest } from "./exchange-meter.ts";
import { headerText, type HeaderValues } from "./header-rules.ts";

/** Who a request is counted for whose body could not be read: what its headers alone say, as recorded. */
export function meteredByHeaders(headers: HeaderValues): MeteredRequest {
  const firstOf = (names: readonly string[]): string =>
    names.map((name) => headerText(headers, name) ?? "").find((text) => text !== "") ?? "";
  return {
    model: "",
    targetModel: firstOf(MODEL_REWRITE_HEADERS),
    fairnessId: firstOf(FAIRNESS_HEADERS) || DEFAULT_FAIRNESS_ID,
    priority: 0,
  };
}
