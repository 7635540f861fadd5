import { z } from "zod";
import { int } from "../params.ts";

/** Parameters of every picker. */
export const pickerParams = z.strictObject({
  maxNumOfEndpoints: int
    .default(1)
    .transform((count) => Math.max(1, count))
    .describe("How many endpoints to name: the first is the destination, the others are fallbacks, in order."),
});
