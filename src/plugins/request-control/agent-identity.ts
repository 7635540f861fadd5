import { z } from "zod";
import { definePlugin } from "../define.ts";
import { headerName } from "../params.ts";

/** Headers by which agents name their session, in the order in which they count. */
const SESSION_HEADERS = ["x-claude-code-session-id", "x-session-affinity", "session-id", "session_id"];

const params = z.strictObject({
  additionalSessionHeaders: z
    .array(headerName)
    .default([])
    .describe("Headers that are looked at before the known ones."),
});

/** The given headers, then the known ones. */
const headersOf = ({ additionalSessionHeaders }: z.infer<typeof params>): readonly string[] => [
  ...additionalSessionHeaders,
  ...SESSION_HEADERS,
];

/**
 * Keeps the turns of an agent's session in one flow: the first of its headers that is not empty names the flow, where
 * no fairness header does.
 *
 * Looked at in this order: `additionalSessionHeaders`, `x-claude-code-session-id`, `x-session-affinity`, `session-id`,
 * `session_id`. Without any, the request stays in `default-flow`. Source: requestcontrol/requestheader/agentidentity.
 */
export const agentIdentity = definePlugin(["requestControl"], {
  type: "agent-identity",
  stability: "alpha",
  params,
  headerNames: headersOf,
  create: (given) => {
    const headers = headersOf(given);
    return {
      readHeaders(request) {
        for (const header of headers) {
          const fairnessId = request.header(header);
          if (fairnessId) return { fairnessId };
        }
        return undefined;
      },
    };
  },
});
