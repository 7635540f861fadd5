import { describe, expect, it } from "vitest";
import { parseMetricSpec } from "./metric-spec.ts";

describe("metric specification", () => {
  it.each<[string, string, Record<string, string>]>([
    ["a:b_1", "a:b_1", {}],
    ["  a  ", "a", {}],
    ["a{}", "a", {}],
    ["a{k=v}", "a", { k: "v" }],
    ['a{k="v"}', "a", { k: "v" }],
    ['a { k = v , l = "w x", }', "a", { k: "v", l: "w x" }],
    ['a{k="q\\"\\n\\\\"}', "a", { k: 'q"\n\\' }],
    ["a{k=1.5e3:x}", "a", { k: "1.5e3:x" }],
    ['a{k!="v",l!~"w",__x=y,m=n}', "a", { m: "n" }],
    ["nv_trt_llm_request_metrics{request_type=waiting}", "nv_trt_llm_request_metrics", { request_type: "waiting" }],
  ])("%j means %s with %o", (text, name, labels) => {
    expect(parseMetricSpec(text)).toEqual({ name, labels: new Map(Object.entries(labels)) });
  });

  it.each([
    ["", "found the end where a metric name should be"],
    ["1a", 'found "1a" where a metric name should be'],
    ["a{b", "found the end where = should be"],
    ["a{b=", "found the end where a label value should be"],
    ["a{b=c", "found the end where , or } should be"],
    ['a{b="c}', 'found "\\"c}" where a label value should be'],
    ["a{b=~c}", 'found "c}" where = should be'],
    ["a{=c}", 'found "=c}" where a label name or } should be'],
    ["a{b=c}x", 'found "x" where the end should be'],
    ["a[5m]", 'found "[5m]" where { or the end should be'],
  ])("%j is none: %s", (text, error) => expect(parseMetricSpec(text)).toBe(error));
});
