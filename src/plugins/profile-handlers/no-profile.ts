import type { PluginRequest } from "../../core/plugin.ts";
import type { Rejection } from "../../core/rejection.ts";

/** No profile ran, as the one that was wanted is not there; in the stock's words. */
export const noneRan = ({ facts }: PluginRequest): Rejection => ({
  code: "ResourceExhausted",
  message: `failed to find target endpoint: failed to run any scheduler profile for request ${facts.requestId}`,
});

/** The decode profile ran well and picked nothing; in the stock's words. */
export const NO_DECODE: Rejection = {
  code: "ResourceExhausted",
  message: "failed to find target endpoint: failed to find available decode workers",
};
