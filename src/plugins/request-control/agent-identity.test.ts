import { describe, expect, it } from "vitest";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { agentIdentity } from "./agent-identity.ts";

const KNOWN = ["x-claude-code-session-id", "x-session-affinity", "session-id", "session_id"];
const OWN = ["X-Mine ", "x-other"];

function flowOf(headers: Readonly<Record<string, string>>, params: object = {}) {
  const endpoints = poolOf([{}]);
  return make(agentIdentity, params, endpoints).readHeaders(requestOf(endpoints, { headers }));
}

describe("agent-identity", () => {
  const order = ["x-mine", "x-other", ...KNOWN];
  for (const [i, header] of order.entries()) {
    it(`takes ${header} before all that follow it, and after those before it`, () => {
      const from = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, `by ${name}`]));
      expect(flowOf(from(order.slice(i)), { additionalSessionHeaders: OWN })).toEqual({ fairnessId: `by ${header}` });
    });
  }

  it("passes by empty headers", () => {
    expect(flowOf({ [KNOWN[0]]: "", [KNOWN[3]]: "s" })).toEqual({ fairnessId: "s" });
  });

  it("says nothing of a request without any of them, nor of others' headers", () => {
    expect(flowOf({})).toBeUndefined();
    expect(flowOf({ [KNOWN[1]]: "", "x-mine": "s" })).toBeUndefined();
  });

  it("names the headers that it reads, in lower case", () => {
    const params = agentIdentity.params.parse({ additionalSessionHeaders: OWN });
    expect(agentIdentity.headerNames!(params)).toEqual(order);
  });

  for (const additionalSessionHeaders of ["x-mine", [1], {}, null]) {
    it(`refuses ${JSON.stringify(additionalSessionHeaders)} as a list of headers`, () => {
      expect(agentIdentity.params.safeParse({ additionalSessionHeaders }).success).toBe(false);
    });
  }
});
