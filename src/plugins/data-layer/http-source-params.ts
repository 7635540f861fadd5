import { z } from "zod";
import { goDurationUs } from "../params.ts";

/** Time between two scrapes in microseconds; 0 for each tick. */
export const scrapeInterval = z
  .literal("")
  .transform(() => 0)
  .or(goDurationUs)
  .default(0)
  .describe('Time between scrapes, rounded to --refresh-metrics-interval; "" for each of its ticks.');

interface HttpSourceDefaults {
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly insecureSkipVerify: boolean;
}

const port = z
  .int()
  .min(1)
  .max(65_535)
  .optional()
  .describe("Port of the pages; default: the endpoint's own. Not for pools of several ports.");

const shapeWithoutPort = ({ scheme, path, insecureSkipVerify }: HttpSourceDefaults) => ({
  scheme: z.enum(["http", "https"]).default(scheme).describe("Protocol of the pages."),
  path: z.string().default(path).describe("Path of the pages."),
  insecureSkipVerify: z.boolean().default(insecureSkipVerify).describe("Whether https certificates go unchecked."),
  caCertPath: z
    .string()
    .default("")
    .describe("PEM file of authorities that sign the pods' certificates; \"\" for the system's."),
  clientCertPath: z.string().default("").describe("PEM file of a certificate to show to the pods."),
  clientKeyPath: z.string().default("").describe("PEM file of its key."),
  interval: scrapeInterval,
});

/** Parameters of a data source that gets pages over HTTP; types differ in their defaults only. */
export const httpSourceParams = (defaults: HttpSourceDefaults) =>
  z.strictObject({ ...shapeWithoutPort(defaults), port }).superRefine(checkClientFiles);

/** The same without `port`, which some types of the stock EPP do not have. */
export const httpSourceParamsWithoutPort = (defaults: HttpSourceDefaults) =>
  z.strictObject(shapeWithoutPort(defaults)).superRefine(checkClientFiles);

/** Parameters; `interval` in microseconds, 0 for each tick. */
export type HttpSourceParams = z.infer<ReturnType<typeof httpSourceParams>>;

function checkClientFiles(
  { clientCertPath, clientKeyPath }: { readonly clientCertPath: string; readonly clientKeyPath: string },
  context: z.RefinementCtx,
): void {
  if ((clientCertPath === "") === (clientKeyPath === "")) return;
  const path = [clientCertPath === "" ? "clientCertPath" : "clientKeyPath"];
  context.addIssue({ code: "custom", path, message: "a file, since clientCertPath and clientKeyPath go together" });
}
