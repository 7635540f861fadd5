/**
 * Time of one engine step: `a + b*P + q*sum(p_i*ctx_i) + c*B + d*sum(ctxDecode)`, a roofline of one forward pass:
 * reading the weights, computing tokens, attention of prompts (compute bound), attention of decodes (memory bound).
 */
export interface StepTime {
  /** Each step, microseconds. */
  readonly aUs: number;
  /** Each prompt token computed. */
  readonly bUs: number;
  /** Each prompt token and token of context that it attends to. */
  readonly qUs: number;
  /** Each request that decodes. */
  readonly cUs: number;
  /** Each token of context of a request that decodes. */
  readonly dUs: number;
}

/** No step takes time: answers come at once. */
export const INSTANT_STEP_TIME: StepTime = { aUs: 0, bUs: 0, qUs: 0, cUs: 0, dUs: 0 };

/** What one step works on. */
export interface StepWork {
  /** P: prompt tokens. */
  prefillTokens: number;
  /** sum(p_i*ctx_i): ctx_i is the mean context over the chunk, what was computed before plus half the chunk. */
  prefillContextTokens: number;
  /** B. */
  decodes: number;
  decodeContextTokens: number;
}

/** Whole microseconds, never negative. */
export const stepTimeUs = (t: StepTime, work: StepWork): number =>
  Math.round(
    t.aUs +
      t.bUs * work.prefillTokens +
      t.qUs * work.prefillContextTokens +
      t.cUs * work.decodes +
      t.dUs * work.decodeContextTokens,
  );
