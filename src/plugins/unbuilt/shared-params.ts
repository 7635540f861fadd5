import { z } from "zod";

/** Text that means its default when it is "" or not there, as stock reads most names. */
export const textOr = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) => text || fallback);

/** A share or probability, 0..1. */
export const share = z.number().min(0).max(1);
