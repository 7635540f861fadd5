import { z } from "zod";

/** Text that means its default when it is "" or not there, as stock reads most names. */
export const textOr = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) => text || fallback);

/** One of several words; "" means the first, as where stock compares with the zero value. */
export const wordOrFirst = <const W extends readonly [string, ...string[]]>(...words: W) =>
  z
    .enum(["", ...words])
    .optional()
    .transform((word) => (word || words[0]) as W[number]);

/** A share or probability, 0..1. */
export const share = z.number().min(0).max(1);
