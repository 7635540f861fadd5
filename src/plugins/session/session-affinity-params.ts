import { z } from "zod";
import { headerName, headerNameOr, wordOrFirst } from "../params.ts";

const source = z
  .strictObject({
    header: headerName.default("").describe("Request header with the session's id."),
    attribute: z.string().default("").describe("Request attribute with the session's id."),
    producer: z.string().default("").describe("Who brings the attribute."),
  })
  .refine(({ header, attribute }) => (header === "") !== (attribute === ""), "a header or an attribute: one of them");

const seconds = (fallback: number) =>
  z
    .number()
    .min(0)
    .default(fallback)
    .transform((value) => value || fallback);

/** Parameters of session affinity, as a scorer and as a filter. */
export const sessionAffinityParams = z.strictObject({
  strategy: wordOrFirst("encoded_endpoint_header", "session_id").describe(
    "Whether the client shows the endpoint that it had, or the picker remembers it by the session's id.",
  ),
  encodedEndpointHeaderConfig: z
    .strictObject({ header: headerNameOr("x-session-token").describe("Header with the encoded endpoint.") })
    .prefault({})
    .describe("For encoded_endpoint_header."),
  sessionIdConfig: z
    .strictObject({
      sources: z
        .array(source)
        .default([])
        .transform((sources) =>
          sources.length > 0 ? sources : [{ header: "x-session-id", attribute: "", producer: "" }],
        )
        .describe("Where the session's id stands, the first that is there; default header x-session-id."),
      evictionTtlSeconds: seconds(300).describe("Idle time after which a session is forgotten; 0 is the default."),
      evictionSweepSeconds: seconds(10).describe("Time between two looks for such sessions; 0 is the default."),
    })
    .prefault({})
    .describe("For session_id."),
  profileName: z.string().default("").describe('Profile whose pick the session is bound to; "" is the primary one.'),
});

export type SessionAffinityParams = z.infer<typeof sessionAffinityParams>;
