/**
 * Model time of live pods. `timeScale` is the real seconds that one model second takes: 1 is real time, 0.1 ten times
 * as fast, and 0 means that the engine takes no time at all (its steps are instant, the clock then shows real time).
 */
export interface ModelClock {
  readonly timeScale: number;
  /** Whole microseconds of model time since the clock was made; never goes back. */
  nowUs(): number;
  /** Real milliseconds that a span of model time takes. */
  realMs(modelUs: number): number;
}

/** Real time in Unix milliseconds with fractions: comparable between processes of one machine. */
export const wallMs = (): number => performance.timeOrigin + performance.now();

/** Slower than real time would only waste time, much faster the timers can't follow. */
export const TIME_SCALE_MIN = 0.001;
export const TIME_SCALE_MAX = 100;

/** Throws RangeError when `timeScale` is neither 0 nor in [0.001, 100]. */
export function createModelClock(timeScale: number): ModelClock {
  if (timeScale !== 0 && !(timeScale >= TIME_SCALE_MIN && timeScale <= TIME_SCALE_MAX)) {
    throw new RangeError(
      `Cannot use time scale ${timeScale}: allowed are 0 (answers at once) and ${TIME_SCALE_MIN} to ${TIME_SCALE_MAX} real seconds a model second`,
    );
  }
  const startMs = performance.now();
  const scale = timeScale || 1;
  return {
    timeScale,
    nowUs: () => Math.floor(((performance.now() - startMs) * 1000) / scale),
    realMs: (modelUs) => (modelUs * scale) / 1000,
  };
}
