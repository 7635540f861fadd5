/**
 * The one door to functions whose last bit may differ between JavaScript engines. `Math.exp` and `Math.log` agree
 * between Node 20 and 24, `Math.pow` and `**` with a fraction do not, so a power is made of the two.
 */

/** x to the power y, for x >= 0. */
export const power = (x: number, y: number): number => (x === 0 ? (y === 0 ? 1 : 0) : Math.exp(y * Math.log(x)));

/** Natural logarithm. */
export const log = (x: number): number => Math.log(x);

/** e to the power x. */
export const exp = (x: number): number => Math.exp(x);
