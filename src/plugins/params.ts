import { z } from "zod";
import { parseGoDuration } from "./go-duration.ts";

/**
 * Building blocks of parameter schemas. A check's message says what is expected ("a number above 0"): the config
 * compiler puts what it found before it.
 */

/** Of a type without parameters. */
export const noParams = z.strictObject({});

/** A whole number, as a Go int. */
export const int = z.int();

/** A duration text as Go writes it (`200ms`), parsed to microseconds. */
export const goDurationUs = z.string().transform((text, context) => {
  const us = parseGoDuration(text);
  if (us !== undefined) return us;
  context.addIssue({ code: "custom", message: 'a duration such as "200ms" or "1m30s"' });
  return z.NEVER;
});

/** Name of the producer whose data is read; "" means the default one, as stock. */
export const producerName = (defaultName: string) =>
  z
    .string()
    .default(defaultName)
    .transform((name) => name || defaultName);

/** Name of a header; HTTP does not look at its case. */
export const headerName = z.string().transform((name) => name.trim().toLowerCase());

/** The same; "" and blanks mean the default, as stock. */
export const headerNameOr = (fallback: string) => headerName.default(fallback).transform((name) => name || fallback);

/** One of several words; "" means the first, as where stock compares with the zero value. */
export const wordOrFirst = <const W extends readonly [string, ...string[]]>(...words: W) =>
  z
    .enum(["", ...words])
    .optional()
    .transform((word) => (word || words[0]) as W[number]);

/** Text that means its default when it is "" or not there, as stock reads most names. */
export const textOr = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) => text || fallback);
