import type { Decision } from "./decision.ts";
import type { Micros } from "./env.ts";
import type { AskValue } from "./events.ts";
import type { PluginHook } from "./plugin-hooks.ts";

/** IO that the core needs done for a parked request; answered by `askAnswered` or `askFailed` with its id. */
export interface Ask {
  readonly id: number;
  /** Key of the request that waits. */
  readonly request: number;
  readonly kind: string;
  readonly payload: AskValue;
  /** After this the core goes on without an answer. */
  readonly dueAtUs: Micros;
}

/** What the core says, in order. */
export type Notice =
  | { readonly type: "decision"; readonly decision: Decision }
  | { readonly type: "ask"; readonly ask: Ask }
  /** Nobody waits for this ask any more. */
  | {
      readonly type: "askOver";
      readonly ask: number;
      readonly reason: "answered" | "failed" | "deadline" | "request-gone";
    }
  /** An answer came to an ask that is over. */
  | { readonly type: "answerIgnored"; readonly ask: number }
  /** A producer failed, so later ones did not run; the request goes on. */
  | { readonly type: "producerFailed"; readonly request: number; readonly plugin: string; readonly cause: string }
  /** A plugin threw while a request was decided: the request was refused, nothing else changed. */
  | { readonly type: "pluginFailed"; readonly request: number; readonly cause: string }
  /** A plugin threw when it was told of something: it may have missed it, all others were told. */
  | { readonly type: "hookFailed"; readonly plugin: string; readonly hook: PluginHook; readonly cause: string }
  /** A request is over and everything that it held is given back. */
  | { readonly type: "requestReleased"; readonly request: number }
  /** The endpoints table is full: this one is left out. */
  | { readonly type: "endpointRefused"; readonly id: string; readonly limit: number }
  /** An event came for a request that the core does not know (any more). */
  | { readonly type: "requestUnknown"; readonly request: number; readonly event: string };
