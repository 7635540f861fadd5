import { describe, expect, it } from "vitest";
import type { Profile } from "../../core/plan.ts";
import type { ProfileResult } from "../../core/plugin.ts";
import { FILTERED_OUT } from "../../core/rejection.ts";
import { make, poolOf, requestOf } from "../test-support/fixture.ts";
import { singleProfileHandler } from "./single-profile-handler.ts";

const endpoints = poolOf([{}]);
const handler = make(singleProfileHandler, {}, endpoints);
const request = requestOf(endpoints);
const profiles = [{ name: "default" } as Profile];
const ran: ProfileResult = { ok: true, rows: [0], slots: [0] };

describe("single-profile-handler", () => {
  it("runs the profile once", () => {
    expect(handler.nextProfiles(request, profiles, [undefined])).toEqual([0]);
    expect(handler.nextProfiles(request, profiles, [ran])).toEqual([]);
  });

  it("names it the primary one", () => {
    expect(handler.finish(request, profiles, [ran])).toEqual({ primary: 0 });
  });

  it("passes on why it failed, in the stock's words and with its dropped reason", () => {
    expect(handler.finish(request, profiles, [{ ok: false, rejection: FILTERED_OUT }])).toBe(FILTERED_OUT);
  });

  it("refuses when there is not exactly one", () => {
    const two = [...profiles, { name: "second" } as Profile];
    expect(handler.finish(request, two, [ran, ran])).toMatchObject({ code: "Internal" });
    expect(handler.finish(request, profiles, [undefined])).toMatchObject({ code: "Internal" });
  });
});
