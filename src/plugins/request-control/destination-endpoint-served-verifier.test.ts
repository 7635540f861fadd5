import { describe, expect, it } from "vitest";
import type { ServedWord } from "../../core/events.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { destinationEndpointServedVerifier } from "./destination-endpoint-served-verifier.ts";

const TABLE: readonly (readonly [string, ServedWord, string])[] = [
  ["the endpoint that answered", { served: "10.0.0.2:8000", tells: true }, "10.0.0.2:8000"],
  ["that it was not named", { tells: true }, "fail: missing destination endpoint served metadata"],
  ["that nothing was told", {}, "fail: missing envoy lb metadata"],
];

describe("destination-endpoint-served-verifier", () => {
  for (const [what, word, header] of TABLE) {
    it(`tells ${what}`, () => {
      const endpoints = poolOf([{}]);
      const request = requestOf(endpoints);
      request.servedWord = word;
      make(destinationEndpointServedVerifier, {}, endpoints).responseStarted(request);
      expect([...request.responseHeaders]).toEqual([["x-conformance-test-served-endpoint", header]]);
    });
  }
});
