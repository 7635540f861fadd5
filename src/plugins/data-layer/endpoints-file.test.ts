import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { readEndpointsFile } from "./endpoints-file.ts";

const entry = (name: string, address: string, port = "8000") =>
  `- name: "${name}"\n  address: "${address}"\n  port: "${port}"\n`;
const file = (...entries: string[]) => `endpoints:\n${entries.join("")}`;
const read = (text: string) => readEndpointsFile(text, "e.yaml");
const ids = (text: string) => read(text).endpoints.map(({ id, address }) => `${id} ${address}`);

describe("endpoints file", () => {
  it("gives each entry as an endpoint", () => {
    const text =
      'endpoints:\n- name: a\n  namespace: ns\n  address: 10.0.0.1\n  port: "8000"\n  labels: {k: v, "1": "2"}\n';
    expect(read(text)).toEqual({
      endpoints: [
        {
          id: "ns/a",
          namespace: "ns",
          name: "a",
          address: "10.0.0.1",
          port: 8000,
          metricsHost: "10.0.0.1:8000",
          labels: { k: "v", 1: "2" },
        },
      ],
      errors: [],
      fatal: false,
      blank: false,
    });
  });

  it.each<[string, string, string[]]>([
    [
      "JSON, indented by tabs",
      '{\n\t"endpoints": [\n\t\t{"name": "a", "address": "1.2.3.4", "port": "80"}\n\t]\n}',
      ["default/a 1.2.3.4"],
    ],
    ["no name (recorded)", 'endpoints:\n- address: "127.0.0.2"\n  port: "8000"\n', ["default/ 127.0.0.2"]],
    [
      "unknown keys (recorded)",
      file(`${entry("a", "1.2.3.4")}  foo: [1, {x: 2}]\n`) + "bar: 2\n",
      ["default/a 1.2.3.4"],
    ],
    [
      "a name twice: the last counts (recorded)",
      file(entry("a", "1.1.1.1"), entry("b", "2.2.2.2"), entry("a", "3.3.3.3")),
      ["default/a 3.3.3.3", "default/b 2.2.2.2"],
    ],
    ["an empty list (recorded)", "endpoints: []\n", []],
    ["no list", "endpoints:\n", []],
    ["keys in another case", 'Endpoints: [{NAME: a, Address: 1.2.3.4, port: "1"}]', ["default/a 1.2.3.4"]],
    [
      "a key twice: the last counts",
      'endpoints: [{name: a, address: 1.2.3.4, port: "1", address: 5.6.7.8}]',
      ["default/a 5.6.7.8"],
    ],
    [
      "anchors and merged maps",
      'base: &b {address: 1.2.3.4, port: "1"}\nendpoints:\n- {<<: *b, name: a}\n- &c {<<: *b, name: c}\n- *c\n',
      ["default/a 1.2.3.4", "default/c 1.2.3.4"],
    ],
    [
      "a list of merged maps",
      'a: &a {address: 1.2.3.4}\nb: &b {port: "1", address: 5.6.7.8}\nendpoints: [{<<: [*a, *b], name: 12:30}]',
      ["default/12:30 1.2.3.4"],
    ],
    ["only the first document", `${file(entry("a", "1.2.3.4"))}---\nendpoints: 5\n`, ["default/a 1.2.3.4"]],
    ["a byte order mark", `\ufeff${file(entry("a", "1.2.3.4"))}`, ["default/a 1.2.3.4"]],
  ])("takes %s", (_, text, want) => {
    expect(read(text).errors).toEqual([]);
    expect(ids(text)).toEqual(want);
  });

  it.each([
    [
      "a name for an address (recorded)",
      entry("a", "not-an-ip"),
      'e.yaml:3:12: endpoint "a" has the wrong address "not-an-ip": expected an IPv4 address such as 10.0.0.1',
    ],
    ["IPv6 (recorded)", entry("a", "::1"), 'e.yaml:3:12: endpoint "a" has the wrong address "::1"'],
    ["a number above 255", entry("a", "1.2.3.256"), "has the wrong address"],
    ["a leading zero", entry("a", "1.2.3.04"), "has the wrong address"],
    ["three numbers", entry("a", "1.2.3"), "has the wrong address"],
    ["no address", '- name: a\n  port: "1"\n', 'e.yaml:2:3: endpoint "a" has no address'],
    [
      "port 0 (recorded)",
      entry("a", "1.2.3.4", "0"),
      'e.yaml:4:9: endpoint "a" has the wrong port "0": expected a number from 1 to 65535 in quotes',
    ],
    ["port 65536", entry("a", "1.2.3.4", "65536"), "has the wrong port"],
    ["a port name", entry("a", "1.2.3.4", "http"), "has the wrong port"],
    ["no port", "- name: a\n  address: 1.2.3.4\n", 'endpoint "a" has no port'],
    ["nothing", "-\n", 'endpoint "" has no address'],
  ])("leaves out an entry with %s, and takes the others", (_, wrong, error) => {
    const result = read(file(wrong, entry("b", "5.6.7.8")));
    expect(result.errors).toEqual([expect.stringContaining(error)]);
    expect(result.errors[0]).toMatch(/^Cannot read e\.yaml:\d+:\d+: /);
    expect(result).toMatchObject({ fatal: false, endpoints: [{ id: "default/b" }] });
  });

  it.each([
    [
      "a numeric port (recorded)",
      file("- name: a\n  address: 1.2.3.4\n  port: 8000\n", entry("b", "5.6.7.8")),
      'e.yaml:4:9: port is 8000, expected text, in quotes: "8000"',
    ],
    ["an octal port", "endpoints: [{address: 1.2.3.4, port: 017}]", "port"],
    ["a truth value as name", "endpoints: [{name: yes}]", 'e.yaml:1:20: name is yes, expected text, in quotes: "yes"'],
    [
      "a number as label",
      'endpoints: [{address: 1.2.3.4, port: "1", labels: {k: 1}}]',
      'label k is 1, expected text, in quotes: "1"',
    ],
    [
      "labels as list",
      'endpoints: [{address: 1.2.3.4, port: "1", labels: [k]}]',
      "labels is a list, expected a map of texts",
    ],
    ["a list", "- name: a\n", "e.yaml:1:1: the file is a list, expected a map"],
    ["a text", "hello\n", "e.yaml:1:1: the file is hello, expected a map"],
    ["a map of endpoints", "endpoints: {a: b}\n", "endpoints is a map, expected a list"],
    ["an entry that is text", "endpoints: [a]\n", "an entry of endpoints is a, expected a map"],
    ["broken YAML (recorded)", "{{{", "not YAML"],
    ["an unknown anchor", "endpoints: *x\n", "nothing has the anchor x"],
    ["too much nesting", "[".repeat(100_000), "nested more than 64 levels deep"],
    ["too much nesting by dashes", "- ".repeat(100_000), "nested more than 64 levels deep"],
    [
      "too much nesting by blanks",
      Array.from({ length: 300 }, (_, k) => `${" ".repeat(k)}a:\n`).join(""),
      "nested more than 64 levels deep",
    ],
    [
      "merges of merges of merges",
      `m0: &m0 {}\n${Array.from({ length: 6 }, (_, k) => `m${k + 1}: &m${k + 1} {<<: [${`*m${k}, `.repeat(50)}]}\n`).join("")}endpoints: [{<<: *m6}]`,
      "it merges maps more than 100000 times",
    ],
    ["more than 1 MiB", `#${"x".repeat(1 << 20)}`, "it has more than 1048576 bytes"],
  ])("refuses a file of %s", (_, text, error) => {
    const result = read(text);
    expect(result).toMatchObject({ fatal: true, endpoints: [] });
    expect(result.errors).toEqual([expect.stringMatching(/^Cannot read e\.yaml/)]);
    expect(result.errors[0]).toContain(error);
  });

  it.each(["", "\n\n", "# nothing\n", "---\n", "null"])("tells that %j is blank", (text) => {
    expect(read(text)).toEqual({ endpoints: [], errors: [], fatal: false, blank: true });
  });

  it("tells at most 50 errors, and how many more there are", () => {
    const { errors } = read(file(...Array.from({ length: 60 }, (_, k) => entry(`p${k}`, "x"))));
    expect(errors).toHaveLength(51);
    expect(errors[50]).toBe("Cannot read e.yaml: 10 more errors");
  });

  it("gives back any endpoints, written as YAML or JSON", () => {
    const octet = fc.integer({ min: 0, max: 255 });
    // The writer leaves a key << without quotes: that merges.
    const word = fc.string({ maxLength: 8 }).filter((text) => text !== "<<");
    const endpoint = fc.record({
      name: word,
      namespace: word,
      address: fc.tuple(octet, octet, octet, octet).map((parts) => parts.join(".")),
      port: fc.integer({ min: 1, max: 65535 }).map(String),
      labels: fc.dictionary(word, word, { maxKeys: 3 }),
    });
    fc.assert(
      fc.property(fc.array(endpoint, { maxLength: 5 }), fc.boolean(), (endpoints, json) => {
        const text = json ? JSON.stringify({ endpoints }) : stringify({ endpoints }, { version: "1.1" });
        const want = new Map(
          endpoints.map(({ name, namespace, address, port, labels }) => {
            const ns = namespace || "default";
            return [
              `${ns}/${name}`,
              {
                id: `${ns}/${name}`,
                namespace: ns,
                name,
                address,
                port: Number(port),
                metricsHost: `${address}:${port}`,
                labels,
              },
            ];
          }),
        );
        const result = read(text);
        expect(result.errors).toEqual([]);
        expect(result.endpoints).toEqual([...want.values()]);
      }),
      { numRuns: 500 },
    );
  });

  it("survives any text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from("endpoints:-[]{}&*!|>'\"#%@` \n\t1.?,")), maxLength: 80 }),
        (text) => {
          const result = read(text);
          expect(result.fatal ? result.endpoints.length : 0).toBe(0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
