import { describe, expect, it } from "vitest";
import type { Profile } from "../../core/plan.ts";
import type { ProfileResult } from "../../core/plugin.ts";
import { FILTERED_OUT } from "../../core/rejection.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { dataParallelProfileHandler } from "./data-parallel-profile-handler.ts";
import { headerProfileHandler } from "./header-profile-handler.ts";

const endpoints = poolOf([{}, {}]);
const profiles = ["decode", "second"].map((name) => ({ name }) as Profile);
const ran: ProfileResult = { ok: true, rows: [1, 0], slots: [1, 0] };
const failed: ProfileResult = { ok: false, rejection: FILTERED_OUT };

describe("header-profile-handler", () => {
  const handler = make(headerProfileHandler, { headerName: "X-Pick" }, endpoints);
  const requestWith = (pick?: string) =>
    requestOf(endpoints, pick === undefined ? {} : { headers: { "x-pick": pick } });
  const table: readonly (readonly [string | undefined, readonly number[]])[] = [
    ["second", [1]],
    [" second ", [1]],
    ["decode", [0]],
    ["", [0]],
    [undefined, [0]],
    ["third", []],
  ];
  for (const [pick, indexes] of table) {
    it(`runs ${indexes.length === 0 ? "none" : profiles[indexes[0]].name} for ${JSON.stringify(pick)}`, () => {
      expect(handler.nextProfiles(requestWith(pick), profiles, [undefined, undefined])).toEqual(indexes);
    });
  }

  it("takes blank parameters as its defaults", () => {
    const blank = make(headerProfileHandler, { headerName: " ", defaultProfile: " " }, endpoints);
    const request = requestOf(endpoints, { headers: { "epp-profile": "second", "": "third" } });
    expect(headerProfileHandler.headerNames!(headerProfileHandler.params.parse({ headerName: "" }))).toEqual([
      "epp-profile",
    ]);
    expect(blank.nextProfiles(request, profiles, [undefined, undefined])).toEqual([1]);
    expect(blank.nextProfiles(requestWith(), profiles, [undefined, undefined])).toEqual([0]);
  });

  it("runs a single profile whatever the header says", () => {
    expect(handler.nextProfiles(requestWith("third"), profiles.slice(0, 1), [undefined])).toEqual([0]);
  });

  it("runs one only, and names it the primary one", () => {
    expect(handler.nextProfiles(requestWith("second"), profiles, [undefined, ran])).toEqual([]);
    expect(handler.finish(requestWith("second"), profiles, [undefined, ran])).toEqual({ primary: 1 });
  });

  it("passes on why it failed, and refuses when none ran", () => {
    expect(handler.finish(requestWith(), profiles, [failed, undefined])).toBe(FILTERED_OUT);
    const request = requestOf(endpoints, { requestId: "r-7" });
    expect(handler.finish(request, profiles, [undefined, undefined])).toEqual({
      code: "ResourceExhausted",
      message: "failed to find target endpoint: failed to run any scheduler profile for request r-7",
    });
  });
});

describe("data-parallel-profile-handler", () => {
  const finish = (params: object, results: readonly (ProfileResult | undefined)[]) => {
    const request = requestOf(endpoints);
    const handler = make(dataParallelProfileHandler, params, endpoints);
    return { outcome: handler.finish(request, profiles.slice(0, 1), results), request };
  };

  it("sends to the pods' primary port and names the rank that was picked", () => {
    const { outcome, request } = finish({ primaryPort: 9000 }, [ran]);
    const [first, second] = [1, 0].map((slot) => `${endpoints.description[slot].address}:9000`);
    expect(outcome).toEqual({ primary: 0, targets: [first, second], hidesScores: true });
    expect(request.header("x-data-parallel-host-port")).toBe(endpoints.target[1]);
  });

  it("takes port 8000 when none is given, and a 0 as it is", () => {
    const portOf = (params: object) => {
      const { outcome } = finish(params, [ran]);
      return "targets" in outcome ? outcome.targets[0].split(":")[1] : undefined;
    };
    expect(portOf({})).toBe("8000");
    expect(portOf({ primaryPort: 0 })).toBe("0");
  });

  it("passes on why the profile failed, and refuses when there is not exactly one", () => {
    expect(finish({}, [failed]).outcome).toBe(FILTERED_OUT);
    expect(finish({}, [undefined]).outcome).toMatchObject({ code: "Internal" });
    const handler = make(dataParallelProfileHandler, {}, endpoints);
    expect(handler.finish(requestOf(endpoints), profiles, [ran, ran])).toMatchObject({ code: "Internal" });
    expect(handler.nextProfiles(requestOf(endpoints), profiles.slice(0, 1), [undefined])).toEqual([0]);
    expect(handler.nextProfiles(requestOf(endpoints), profiles.slice(0, 1), [ran])).toEqual([]);
  });
});
