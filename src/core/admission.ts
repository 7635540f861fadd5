import type { Micros } from "./env.ts";
import type { PluginRequest } from "./plugin.ts";
import type { Rejection } from "./rejection.ts";
import { SHEDDABLE_DROPPED } from "./rejection.ts";

/** What admission says of a request: in, out, or wait. */
export type AdmissionVerdict = "admitted" | "queued" | Rejection;

/** Decides when a request may go on to scheduling. Flow control is one that queues. */
export interface Admission {
  /** `saturation()`: 0 idle, 1 and more full, over the request's own candidates. */
  admit(request: PluginRequest, saturation: () => number): AdmissionVerdict;
  /** Called at the end of each step: the queued requests (by key) whose turn has come. */
  dispatch?(nowUs: Micros): readonly { readonly key: number; readonly verdict: "admitted" | Rejection }[];
  /** A queued request is gone, or begins anew at the admission of another plan. */
  cancel?(key: number): void;
  /** When `dispatch` wants to be called at the latest. */
  nextDueAtUs?(): Micros | undefined;
}

/** Without flow control, as stock: a request of negative priority is dropped while its candidates are saturated. */
export const sheddableAdmission: Admission = {
  admit: (request, saturation) => (request.priority < 0 && saturation() >= 1 ? SHEDDABLE_DROPPED : "admitted"),
};
