import { describe, expect, it } from "vitest";
import { fileDiscovery } from "./file-discovery.ts";
import { metricsDataSource } from "./metrics-data-source.ts";
import { scrapePeriodMs, scrapeTickMs } from "./scrape-tick.ts";

const issues = ({ params }: typeof metricsDataSource, value: unknown) =>
  params.safeParse(value).error?.issues.map(({ path, message }) => [path.join("."), message]);

describe("parameters of metrics-data-source", () => {
  it("have the stock defaults", () => {
    expect(metricsDataSource.params.parse({})).toEqual({
      scheme: "http",
      path: "/metrics",
      insecureSkipVerify: true,
      caCertPath: "",
      clientCertPath: "",
      clientKeyPath: "",
      interval: 0,
    });
  });

  it("read the interval as Go's durations", () => {
    expect(metricsDataSource.params.parse({ interval: "1.5s", port: 9 })).toMatchObject({
      interval: 1_500_000,
      port: 9,
    });
    expect(metricsDataSource.params.parse({ interval: "" })).toMatchObject({ interval: 0 });
  });

  it.each([
    [{ scheme: "ftp" }, "scheme"],
    [{ port: 0 }, "port"],
    [{ port: 70_000 }, "port"],
    [{ port: "8000" }, "port"],
    [{ interval: "x" }, "interval"],
    [{ clientCertPath: "a" }, "clientKeyPath"],
    [{ clientKeyPath: "a" }, "clientCertPath"],
    [{ foo: 1 }, ""],
  ])("refuse %o", (value, path) => expect(issues(metricsDataSource, value)?.map(([at]) => at)).toEqual([path]));
});

describe("time between scrapes", () => {
  it.each([
    [50, 0, 50],
    [10, 0, 50],
    [200, 0, 200],
    [50, 1000, 1000],
    [50, 120, 100],
    [50, 130, 150],
    [200, 80, 80],
    [200, 20, 50],
    [60_000, 0, 60_000],
  ])("at a refresh interval of %d ms and a source's of %d ms is %d ms", (refresh, interval, period) => {
    expect(scrapePeriodMs(scrapeTickMs(refresh, [interval]), interval)).toBe(period);
  });

  it("goes by the tick of all sources, the shortest interval of any", () => {
    expect(scrapeTickMs(1000, [])).toBe(1000);
    const tickMs = scrapeTickMs(1000, [0, 400, 5000]);
    expect([tickMs, scrapePeriodMs(tickMs, 0), scrapePeriodMs(tickMs, 400), scrapePeriodMs(tickMs, 5000)]).toEqual([
      400, 400, 400, 5200,
    ]);
  });
});

describe("parameters of file-discovery", () => {
  it("need a path, and do not watch by default", () => {
    expect(fileDiscovery.params.parse({ path: "e.yaml" })).toEqual({ path: "e.yaml", watchFile: false });
    expect(issues(fileDiscovery, {})).toHaveLength(1);
    expect(issues(fileDiscovery, { path: "" })).toEqual([["path", "the path of the endpoints file"]]);
    expect(issues(fileDiscovery, { path: "x", foo: 1 })).toHaveLength(1);
  });
});
