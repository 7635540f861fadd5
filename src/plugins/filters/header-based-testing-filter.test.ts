import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Endpoints } from "../../core/endpoints.ts";
import { keptBy, make, requestOf } from "../test-support/fixture.ts";
import { headerBasedTestingFilter } from "./header-based-testing-filter.ts";

/** Endpoints at the given addresses and ports, in order. */
function poolAt(hosts: readonly (readonly [string, number])[]): Endpoints {
  const endpoints = new Endpoints();
  for (const [i, [address, port]] of hosts.entries()) {
    const id = `default/pod-${i}`;
    const metricsHost = `${address}:${port}`;
    endpoints.add({ id, namespace: "default", name: `pod-${i}`, address, port, metricsHost, labels: {} });
  }
  return endpoints;
}

const HOSTS: readonly (readonly [string, number])[] = [
  ["10.0.0.1", 8000],
  ["10.0.0.2", 8000],
  ["10.0.0.2", 8002],
  ["fd00::7", 8000],
];

function kept(header: string | undefined, hosts = HOSTS): number[] {
  const endpoints = poolAt(hosts);
  const headers = header === undefined ? {} : { "test-epp-endpoint-selection": header };
  return keptBy(make(headerBasedTestingFilter, {}, endpoints), requestOf(endpoints, { headers }));
}

const TABLE: readonly (readonly [string, string | undefined, readonly number[]])[] = [
  ["no header", undefined, []],
  ["an empty header", " ", []],
  ["an address", "10.0.0.1", [0]],
  ["addresses in the header's order", "10.0.0.2:8000, 10.0.0.1", [1, 0]],
  ["an address with a port", "10.0.0.2:8000", [1]],
  ["the last endpoint of an address without a port", "10.0.0.2", [2]],
  ["each address once", "10.0.0.2:8000,10.0.0.2:8002,10.0.0.2", [1]],
  ["a port of another endpoint", "10.0.0.1:8002", []],
  ["a colon without a port", "10.0.0.1:", [0]],
  ["IPv6, bare", "fd00::7", [3]],
  ["IPv6 in brackets", "[fd00::7]", [3]],
  ["IPv6 with a port", "[fd00::7]:8000", [3]],
  ["IPv6 with another port", "[fd00::7]:8001", []],
  ["empty members and unknown ones", ",,10.9.9.9,[,10.0.0.1:x,:8000,10.0.0.1,", [0]],
];

describe("header-based-testing-filter", () => {
  for (const [what, header, places] of TABLE) {
    it(`keeps ${JSON.stringify(places)} for ${what}`, () => expect(kept(header)).toEqual(places));
  }

  it("keeps some of the candidates, none of them twice, whatever the header says", () => {
    const host = fc.tuple(
      fc.integer({ min: 0, max: 4 }).map((n) => `10.0.0.${n}`),
      fc.constantFrom(80, 81),
    );
    const item = fc.oneof(
      fc.string({ maxLength: 8 }),
      host.map(([address, port]) => `${address}:${port}`),
    );
    fc.assert(
      fc.property(fc.uniqueArray(host, { selector: String }), fc.array(item), (hosts, items) => {
        const places = kept(items.join(","), hosts);
        expect(new Set(places).size).toBe(places.length);
        for (const place of places) expect(items.join()).toContain(hosts[place][0]);
      }),
    );
  });
});
