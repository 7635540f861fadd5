import { describe, expect, it } from "vitest";
import { dataKey } from "../../core/data-key.ts";
import type { PluginInstance } from "../../core/plugin.ts";
import type { RequestState } from "../../core/request-state.ts";
import { pluginType } from "../list.ts";
import { keptBy, make, poolOf, requestOf, resultOf, scoresOf, targetOf } from "../test-support/fixture.ts";
import { sessionIdProducer } from "./session-id-producer.ts";

const SECOND_US = 1_000_000;
const TOKEN_0 = btoa("default/pod-0");
const TOKEN_2 = btoa("default/pod-2");

const pool = () => {
  const endpoints = poolOf([{}, {}, {}]);
  for (const slot of endpoints.slots()) {
    const description = endpoints.description[slot];
    endpoints.remove(slot);
    endpoints.add({ ...description, id: `default/pod-${slot}` });
  }
  return endpoints;
};

/** Tells a plugin that a candidate was picked, as the core does. */
const picked = (plugin: PluginInstance, request: RequestState, row: number, profile = "default") =>
  plugin.preRequest!(request, resultOf([targetOf(request, row, profile)]));

/** Row of the pod of a number. */
const rowOf = (request: RequestState, endpoints: ReturnType<typeof pool>, pod: number) =>
  request.table.slots.indexOf(endpoints.slotOf(`default/pod-${pod}`));

describe("session affinity by an encoded endpoint", () => {
  const endpoints = pool();
  const scorer = make(pluginType("session-affinity-scorer")!, {}, endpoints);
  const filter = make(pluginType("session-affinity-filter")!, {}, endpoints);
  const requestWith = (token?: string) =>
    requestOf(endpoints, token === undefined ? {} : { headers: { "x-session-token": token } });

  it("scores 1 for the endpoint that the client shows, keeps it alone", () => {
    const request = requestWith(TOKEN_2);
    const row = rowOf(request, endpoints, 2);
    expect(scoresOf(scorer, request)).toEqual([0, 1, 2].map((i) => Number(i === row)));
    expect(keptBy(filter, request)).toEqual([row]);
  });

  for (const token of [undefined, "", "no base64!", btoa("default/pod-9")]) {
    it(`keeps all for ${JSON.stringify(token)}`, () => {
      expect(scoresOf(scorer, requestWith(token))).toEqual([0, 0, 0]);
      expect(keptBy(filter, requestWith(token))).toEqual([0, 1, 2]);
    });
  }

  it("takes names in any script, as their UTF-8", () => {
    const named = poolOf([{}, {}]);
    for (const [slot, id] of ["default/\u0141", "default/A"].entries()) {
      const description = named.description[slot];
      named.remove(slot);
      named.add({ ...description, id });
    }
    const session = make(pluginType("session-affinity-scorer")!, {}, named);
    const request = requestOf(named, { headers: { "x-session-token": "ZGVmYXVsdC/FgQ==" } });
    const row = request.table.slots.indexOf(named.slotOf("default/\u0141"));
    expect(scoresOf(session, request)).toEqual([0, 1].map((i) => Number(i === row)));
    picked(session, request, row);
    session.responseStarted(request);
    expect([...request.responseHeaders]).toEqual([["x-session-token", "ZGVmYXVsdC/FgQ=="]]);
  });

  it("tells nothing of an endpoint that is gone, nor of the one in its place", () => {
    const flapping = pool();
    const session = make(pluginType("session-affinity-scorer")!, {}, flapping);
    const request = requestOf(flapping);
    picked(session, request, rowOf(request, flapping, 0));
    const slot = flapping.slotOf("default/pod-0");
    const description = flapping.description[slot];
    flapping.remove(slot);
    flapping.add({ ...description, id: "default/another" });
    session.responseStarted(request);
    expect([...request.responseHeaders]).toEqual([]);
  });

  it("uses its default header where the config names a blank one, and never sets a header without a name", () => {
    const blank = make(
      pluginType("session-affinity-scorer")!,
      { encodedEndpointHeaderConfig: { header: " " } },
      endpoints,
    );
    const request = requestWith(TOKEN_2);
    const row = rowOf(request, endpoints, 2);
    expect(scoresOf(blank, request)[row]).toBe(1);
    picked(blank, request, row);
    blank.responseStarted(request);
    expect([...request.responseHeaders]).toEqual([["x-session-token", TOKEN_2]]);
  });

  it("tells the client the endpoint that served it, the one that it moved to where it did", () => {
    const told = (moves: boolean) => {
      const request = requestWith();
      picked(scorer, request, rowOf(request, endpoints, 0));
      const [from, to] = [0, 2].map((pod) => targetOf(request, rowOf(request, endpoints, pod)));
      if (moves) scorer.moved(request, from, to);
      scorer.responseStarted(request);
      return [...request.responseHeaders];
    };
    expect(told(false)).toEqual([["x-session-token", TOKEN_0]]);
    expect(told(true)).toEqual([["x-session-token", TOKEN_2]]);
  });

  it("tells nothing of a profile that picked none", () => {
    const other = make(pluginType("session-affinity-scorer")!, { profileName: "nowhere" }, endpoints);
    const request = requestWith();
    picked(other, request, 0);
    other.responseStarted(request);
    expect([...request.responseHeaders]).toEqual([]);
  });
});

describe("session affinity by a session's id", () => {
  const scene = (more: object = {}) => {
    const endpoints = pool();
    const params = { strategy: "session_id", ...more };
    const plugin = make(pluginType("session-affinity-filter")!, params, endpoints);
    const at = (seconds: number, id = "s", slots?: Int32Array) =>
      requestOf(endpoints, { headers: { "x-session-id": id } }, slots, seconds * SECOND_US);
    /** Number of the pod that is kept; -1 when all are. */
    const keptPod = (request: RequestState) => {
      const places = keptBy(plugin, request);
      if (places.length !== 1) return -1;
      return Number(endpoints.description[request.table.slots[places[0]]].id.slice(-1));
    };
    return { endpoints, plugin, at, keptPod };
  };

  it("remembers the endpoint that a session got", () => {
    const { endpoints, plugin, at, keptPod } = scene();
    const first = at(0);
    expect(keptPod(first)).toBe(-1);
    picked(plugin, first, rowOf(first, endpoints, 1));
    expect(keptPod(at(1))).toBe(1);
    expect(keptPod(at(1, "another"))).toBe(-1);
    expect(keptPod(at(1, ""))).toBe(-1);
  });

  it("tells ids of any length apart", () => {
    const { endpoints, plugin, at, keptPod } = scene();
    const long = "x".repeat(60_000);
    for (const [pod, id] of [`${long}a`, `${long}b`].entries()) {
      const request = at(0, id);
      picked(plugin, request, rowOf(request, endpoints, pod));
    }
    expect([`${long}a`, `${long}b`, long].map((id) => keptPod(at(1, id)))).toEqual([0, 1, -1]);
  });

  it("forgets the one that was idle the longest beyond 262,144", () => {
    const { endpoints, plugin, at, keptPod } = scene();
    const use = (id: string) => {
      const request = at(0, id);
      picked(plugin, request, rowOf(request, endpoints, 1));
    };
    for (let i = 0; i < 262_144; i++) use(`s${i}`);
    use("s0");
    use("one more");
    expect(["s0", "s1", "s2", "one more"].map((id) => keptPod(at(1, id)))).toEqual([1, -1, 1, 1]);
  });

  it("moves only when its endpoint was no candidate", () => {
    const { endpoints, plugin, at, keptPod } = scene();
    const first = at(0);
    picked(plugin, first, rowOf(first, endpoints, 1));
    const second = at(1);
    expect(keptPod(second)).toBe(1);
    picked(plugin, second, rowOf(second, endpoints, 2));
    expect(keptPod(at(2))).toBe(1);
    const without = at(3, "s", Int32Array.from([0, 2].map((pod) => endpoints.slotOf(`default/pod-${pod}`))));
    expect(keptPod(without)).toBe(-1);
    picked(plugin, without, rowOf(without, endpoints, 2));
    expect(keptPod(at(4))).toBe(2);
  });

  it("forgets at the sweep after the time to live, and not while it is used", () => {
    const { endpoints, plugin, at, keptPod } = scene({
      sessionIdConfig: { evictionTtlSeconds: 30, evictionSweepSeconds: 10 },
    });
    const use = (seconds: number) => {
      const request = at(seconds);
      picked(plugin, request, rowOf(request, endpoints, 1));
    };
    use(1);
    use(25);
    expect(keptPod(at(50))).toBe(1);
    expect(keptPod(at(59))).toBe(1);
    expect(keptPod(at(60))).toBe(-1);
  });

  it("takes the first source that is there, an attribute of a producer too", () => {
    const { endpoints, plugin, keptPod } = scene({
      sessionIdConfig: { sources: [{ attribute: "SessionIDDataKey", producer: "p" }, { header: "x-session-id" }] },
    });
    const request = (attribute: string | undefined, header: string) => {
      const made = requestOf(endpoints, { headers: { "x-session-id": header } });
      if (attribute) made.put(dataKey("SessionIDDataKey", "p"), attribute);
      return made;
    };
    const first = request("a", "b");
    picked(plugin, first, rowOf(first, endpoints, 2));
    expect(keptPod(request("a", "c"))).toBe(2);
    expect(keptPod(request(undefined, "a"))).toBe(2);
    expect(keptPod(request("b", "a"))).toBe(-1);
    expect(keptPod(request(" a ", "c"))).toBe(2);
    expect(keptPod(request(" ", "a"))).toBe(2);
  });

  it("takes parts of a second, and a time between sweeps too short to count", () => {
    const { endpoints, plugin, at, keptPod } = scene({
      sessionIdConfig: { evictionTtlSeconds: 0.5, evictionSweepSeconds: 1e-300 },
    });
    const request = at(1);
    picked(plugin, request, rowOf(request, endpoints, 1));
    expect(keptPod(at(1.5))).toBe(1);
    expect(keptPod(at(1.6))).toBe(-1);
  });
});

describe("session-id-producer", () => {
  const endpoints = pool();
  const produced = (params: object, headers: Readonly<Record<string, string>>) => {
    const request = requestOf(endpoints, { headers });
    make(sessionIdProducer, params, endpoints, { name: "p" }).produce(request);
    return request.get(dataKey("SessionIDDataKey", "p"));
  };

  it("reads a header or a cookie", () => {
    expect(produced({ headerName: "X-S" }, { "x-s": "1" })).toBe("1");
    expect(produced({ headerName: "X-S" }, {})).toBeUndefined();
    expect(produced({ headerName: "X-S" }, { "x-s": " 1 " })).toBe("1");
    expect(produced({ headerName: "X-S" }, { "x-s": " " })).toBeUndefined();
    expect(sessionIdProducer.params.safeParse({ cookieName: " " }).success).toBe(false);
    expect(produced({ cookieName: " a " }, { "cookie:a": "1f" })).toBe("1f");
    expect(produced({ cookieName: "a" }, { cookie: "a=1" })).toBeUndefined();
  });
});
