import type { ExchangeMeter } from "../../protocol/exchange-meter.ts";

const broken = (): never => {
  throw new Error("a broken meter");
};

/** A meter that throws at every word. */
export const brokenMeter = (): ExchangeMeter => ({
  requestHeaders: broken,
  requestComplete: broken,
  traceHeaders: broken,
  routed: broken,
  refused: broken,
  responseHeaders: broken,
  modelServerError: broken,
  responseBody: broken,
  responseHandled: broken,
  responseComplete: broken,
  closed: broken,
});
