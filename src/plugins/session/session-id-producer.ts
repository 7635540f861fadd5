import { z } from "zod";
import { cookieFactName } from "../../core/cookie-fact.ts";
import { dataKey } from "../../core/data-key.ts";
import { defineProducer } from "../define.ts";
import { headerName } from "../params.ts";

export const SESSION_ID_PRODUCER = "session-id-producer";

const sessionIdKey = (producer: string) => dataKey<string>("SessionIDDataKey", producer);

const params = z
  .strictObject({
    headerName: headerName.default("").describe("Request header with the session's id."),
    cookieName: z
      .string()
      .default("")
      .transform((name) => name.trim())
      .describe("Cookie with the session's id."),
  })
  .refine(({ headerName: header, cookieName }) => (header === "") !== (cookieName === ""), {
    path: ["headerName"],
    message: "a name, or one in cookieName: one of them",
  });

/**
 * Gives the id of the session that a request belongs to, from a header or a cookie; nothing when it has none.
 * Source: requestcontrol/dataproducer/sessionid.
 */
export const sessionIdProducer = defineProducer({
  type: SESSION_ID_PRODUCER,
  example: `
plugins:
- type: session-id-producer
  parameters: {cookieName: session}
- type: session-affinity-scorer
  parameters:
    strategy: session_id
    sessionIdConfig:
      sources: [{attribute: SessionIDDataKey}]
`,
  params,
  headerNames: ({ headerName: header, cookieName }) => [header || cookieFactName(cookieName)],
  data: (_params, name) => ({ produces: [sessionIdKey(name)] }),
  create: ({ headerName: header, cookieName }, { name }) => {
    const key = sessionIdKey(name);
    return {
      produce(request) {
        const id = request.header(header || cookieFactName(cookieName))?.trim();
        if (id) request.put(key, id);
        return undefined;
      },
    };
  },
});
