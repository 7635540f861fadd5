import { describe, expect, it } from "vitest";
import { readEndpointsFile } from "./endpoints-file.ts";

const cluster = (address: string, labels = "{}") =>
  `endpoints:\n- {name: east, address: "${address}", port: "8080", labels: ${labels}}\n`;
const read = (text: string, areClusters = true) => readEndpointsFile(text, "clusters.yaml", areClusters);
const metricsHost = (address: string, labels?: string) => read(cluster(address, labels)).endpoints[0]?.metricsHost;

describe("endpoints file of clusters", () => {
  it.each([
    ["10.0.0.12", "10.0.0.12:8080"],
    ["::1", "[::1]:8080"],
    ["gw.cluster-a.example.com", "gw.cluster-a.example.com:8080"],
  ])("takes the address %s", (address, host) => {
    const { endpoints, errors } = read(cluster(address));
    expect(errors).toEqual([]);
    expect(endpoints[0]).toMatchObject({ id: "default/east", address, port: 8080, metricsHost: host });
  });

  it.each(["", "GW.example.com", "gw_1", "gw:443", "-a"])("refuses the address %j in words", (address) => {
    const { endpoints, errors } = read(cluster(address));
    expect(endpoints).toEqual([]);
    expect(errors).toEqual([expect.stringMatching(/expected an IP address or a host name in lower case$/)]);
  });

  it.each([
    ["both labels", "{metricsAddress: 10.0.0.11, metricsPort: '9090'}", "10.0.0.11:9090"],
    ["the address alone: at the endpoint's port", "{metricsAddress: 10.0.0.11}", "10.0.0.11:8080"],
    ["the port alone: nothing", "{metricsPort: '9090'}", "10.0.0.12:8080"],
    ["none", "{}", "10.0.0.12:8080"],
    ["a name", "{metricsAddress: gw.example.com, metricsPort: '443'}", "gw.example.com:443"],
    ["an IPv6 address", "{metricsAddress: 'fd00::1', metricsPort: '443'}", "[fd00::1]:443"],
    ["empty ones", "{metricsAddress: '', metricsPort: ''}", "10.0.0.12:8080"],
  ])("looks for the metrics page by its labels: %s", (_, labels, host) => {
    expect(metricsHost("10.0.0.12", labels)).toBe(host);
  });

  it("is another one than that of pods, which takes no names and reads no such labels", () => {
    expect(read(cluster("gw.example.com"), false).errors).toHaveLength(1);
    const { endpoints } = read(cluster("10.0.0.12", "{metricsAddress: 10.0.0.11}"), false);
    expect(endpoints[0].metricsHost).toBe("10.0.0.12:8080");
  });
});
