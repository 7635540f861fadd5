import fc from "fast-check";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MetricsPageReader } from "./metrics-page.ts";
import type { SeriesSelector } from "./page-series.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const selector = (
  name: string,
  labels: Record<string, string> = {},
  more: Partial<SeriesSelector> = {},
): SeriesSelector => ({
  name,
  labels: new Map(Object.entries(labels)),
  choose: "latest",
  keep: [],
  ...more,
});
const lines = (path: string) => gunzipSync(readFileSync(path)).toString("utf8").trimEnd().split("\n");

/** What one selector finds on a page; throws the page's error. */
function find(text: string, wanted: SeriesSelector) {
  const reader = new MetricsPageReader([wanted]);
  const error = reader.read(bytes(text));
  if (error !== undefined) throw new Error(error);
  return { finding: reader.finding(0), value: reader.value(0), kept: wanted.keep.map((_, k) => reader.label(0, k)) };
}

describe("metrics page", () => {
  it.each<[string, string, SeriesSelector, number]>([
    ["a gauge", "# TYPE q gauge\nq 3\n", selector("q"), 3],
    ["a counter", "# TYPE q counter\nq 3.5\n", selector("q"), 3.5],
    ["an untyped series, as 0", "q 3\n", selector("q"), 0],
    ["a histogram, as 0", '# TYPE q histogram\nq_bucket{le="1"} 3\nq_sum 1\nq_count 3\n', selector("q"), 0],
    ["a summary, as 0", '# TYPE q summary\nq{quantile="0.5"} 3\nq_sum 1\nq_count 3\n', selector("q"), 0],
    ["the first without timestamps", '# TYPE q gauge\nq{e="0"} 1\nq{e="1"} 2\n', selector("q"), 1],
    ["the latest", '# TYPE q gauge\nq{e="0"} 1 5\nq{e="1"} 2 7\nq{e="2"} 3 6\n', selector("q"), 2],
    ["the first of equally late ones", '# TYPE q gauge\nq{e="0"} 1 7\nq{e="1"} 2 7\n', selector("q"), 1],
    ["only what has the labels", '# TYPE q gauge\nq{e="0"} 1 9\nq{e="1",m="x"} 2\n', selector("q", { e: "1" }), 2],
    ["a label value with escapes", '# TYPE q gauge\nq{e="a\\"b\\n"} 4\n', selector("q", { e: 'a"b\n' }), 4],
    [
      "the greatest value",
      '# TYPE q gauge\nq{e="0"} 1\nq{e="1"} 3\nq{e="2"} 2\n',
      selector("q", {}, { choose: "greatest" }),
      3,
    ],
    ["a family that comes in two places", "# TYPE q gauge\nq 1 1\nr 1\nq 2 2\n", selector("q"), 2],
    ["a name in quotes", '# TYPE "q" gauge\n{"q",e="0"} 5\n', selector("q", { e: "0" }), 5],
    ["a number right after the name", "# TYPE q gauge\nq+7\n", selector("q"), 7],
    ["tabs and blanks", '# TYPE q\tgauge\n \tq\t{ e = "0" , } \t 8 \t 1\n', selector("q", { e: "0" }), 8],
    ["a number with many digits", "# TYPE q gauge\nq 0.6377952755905512\n", selector("q"), 0.6377952755905512],
    ["an exponent", "# TYPE q gauge\nq 1.795508653696463e+09\n", selector("q"), 1795508653.696463],
    ["a negative number", "# TYPE q gauge\nq -2.50\n", selector("q"), -2.5],
    ["an infinity", "# TYPE q gauge\nq -iNfinity\n", selector("q"), Number.NEGATIVE_INFINITY],
    ["no number", "# TYPE q gauge\nq NaN\n", selector("q"), Number.NaN],
  ])("finds %s", (_, text, wanted, value) => {
    expect(find(text, wanted)).toEqual({ finding: "series", value, kept: [] });
  });

  it.each<[string, string, SeriesSelector, string]>([
    ["an empty page", "", selector("q"), "no family"],
    ["a family without samples", "# TYPE q gauge\n", selector("q"), "no family"],
    ["no series with the labels", '# TYPE q gauge\nq{e="0"} 1\n', selector("q", { e: "1" }), "no series"],
    ["a timestamp below 0", "# TYPE q gauge\nq 1 -1\n", selector("q"), "no series"],
    ["a bucket's name", '# TYPE q histogram\nq_bucket{le="1"} 3\n', selector("q_bucket"), "no family"],
  ])("tells of %s", (_, text, wanted, finding) => {
    expect(find(text, wanted)).toEqual({ finding, value: 0, kept: [] });
  });

  it("keeps labels of the chosen series", () => {
    const wanted = selector("i", {}, { keep: ["size", "gone", "name"] });
    const text = '# TYPE i gauge\ni{size="1",name="a"} 1\ni{name="b\\\\",size="2"} 1 5\n';
    expect(find(text, wanted).kept).toEqual(["2", undefined, "b\\"]);
  });

  it.each([
    ["no newline at the end", "# TYPE q gauge\nq 1", /line 2: no newline at the end of the page: "q 1"/],
    [
      "a broken line far from what is wanted",
      '# TYPE q gauge\nq 1\nx{a="b" 3\n',
      /line 3: neither , nor } after a label: "3"/,
    ],
    ["a word as value", "q one\n", /line 1: not a number: "one"/],
    ["a carriage return", "q 1\r\n", /not a number: "1\\r"/],
    ["a blank after the value", "q 1 \n", /not a whole number as timestamp/],
    ["a fraction as timestamp", "q 1 1.5\n", /something after the timestamp: ".5"/],
    ["a number beyond doubles", "q 1e999\n", /not a number/],
    ["a hexadecimal number", "q 0x10\n", /not a number/],
    ["an underscore in a number", "q 1_000\n", /not a number/],
    ["two types", "# TYPE q gauge\n# TYPE q gauge\n", /a second TYPE line/],
    ["a type after samples", "q 1\n# TYPE q gauge\n", /one after its samples/],
    ["two helps", "# HELP q a\n# HELP q b\n", /a second HELP line/],
    ["an unknown type", "# TYPE q info\n", /not a metric type .*: "info"/],
    ["a wrong escape in a help text", "# HELP q a\\b\n", /a wrong escape in a help text/],
    ["a wrong escape in a label", 'q{a="\\x"} 1\n', /a label value that has no end, a wrong escape or is not UTF-8/],
    ["a label twice", 'q{a="1",b="2",a="1"} 1\n', /a label twice in one series/],
    ["a reserved label", 'q{__name__="x"} 1\n', /a label name that is reserved/],
    ["a bucket without a number", '# TYPE q histogram\nq_bucket{le="x"} 1\n', /not a number as bound/],
    [
      "a bucket without a number that a gauge had before",
      '# TYPE h histogram\ng{le="x"} 1\nh_bucket{le="x"} 1\n',
      /line 3: not a number as bound/,
    ],
    ["a negative count", "# TYPE q histogram\nq_count -1\n", /a negative count in a histogram/],
    ["labels alone", '{a="b"} 1\n', /labels without a metric name/],
    ["a name with a dash", "a-b 1\n", /not a number: "-b 1"/],
    [
      "too many labels",
      `q{${Array.from({ length: 129 }, (_, k) => `l${k}="1"`).join(",")}} 1\n`,
      /more than 128 labels/,
    ],
    ["too many families", Array.from({ length: 8193 }, (_, k) => `m${k} 1\n`).join(""), /more than 8192 metrics/],
  ])("refuses a page with %s", (_, text, error) => {
    expect(() => find(text, selector("q"))).toThrow(error);
  });

  it("reads a real vLLM page", () => {
    const text = gunzipSync(readFileSync("test/captures/vllm/metrics/lora-under-load.txt.gz")).toString();
    const value = (name: string, labels = {}) => find(text, selector(name, labels)).value;
    expect(value("vllm:num_requests_waiting")).toBe(23);
    expect(value("vllm:kv_cache_usage_perc")).toBe(0.9473684210526316);
    expect(value("vllm:num_requests_waiting_by_reason", { reason: "capacity" })).toBe(23);
    const lora = selector(
      "vllm:lora_requests_info",
      {},
      { choose: "greatest", keep: ["running_lora_adapters", "max_lora"] },
    );
    expect(find(text, lora).kept).toEqual(["lora-buoys,lora-tides", "2"]);
    const cache = selector("vllm:cache_config_info", {}, { keep: ["block_size", "num_gpu_blocks"] });
    expect(find(text, cache).kept).toEqual(["32", "96"]);
  });

  it("takes no digit for a number that now belongs to the name", () => {
    const reader = new MetricsPageReader([selector("q"), selector("q5")]);
    expect(reader.read(bytes("# TYPE q gauge\nq+7 9\n"))).toBeUndefined();
    expect(reader.value(0)).toBe(7);
    expect(reader.read(bytes("# TYPE q gauge\nq5 9\n"))).toBeUndefined();
    expect([reader.finding(0), reader.finding(1)]).toEqual(["no family", "series"]);
  });

  it("does not keep anything of the page before", () => {
    const reader = new MetricsPageReader([selector("q", {}, { keep: ["e"] })]);
    expect(reader.read(bytes('# TYPE q gauge\nq{e="0"} 5\n'))).toBeUndefined();
    expect([reader.finding(0), reader.value(0), reader.label(0, 0)]).toEqual(["series", 5, "0"]);
    expect(reader.read(bytes("# TYPE r gauge\n"))).toBeUndefined();
    expect([reader.finding(0), reader.value(0), reader.label(0, 0)]).toEqual(["no family", 0, undefined]);
    expect(reader.read(bytes("q 1\n# TYPE q gauge\n"))).toMatch(/line 2/);
    expect(reader.read(bytes('# TYPE q gauge\nq{e="1"} 6\n'))).toBeUndefined();
    expect(reader.value(0)).toBe(6);
  });
});

interface Verdict {
  readonly page: string;
  readonly error?: string;
  readonly series?: Readonly<Record<string, readonly (readonly [Record<string, string>, string, number])[]>>;
}

describe("metrics page, beside the Go parser", () => {
  const verdicts = lines("test/captures/prometheus/verdicts.jsonl.gz").map((line) => JSON.parse(line) as Verdict);

  it("gives the recorded verdict over every page", () => {
    expect(verdicts.length).toBeGreaterThan(2000);
    const reader = new MetricsPageReader([]);
    const differing = verdicts
      .map(({ page, error }) => ({ page: Buffer.from(page, "base64"), go: error }))
      .map(({ page, go }) => ({ text: page.toString("latin1"), go, ours: reader.read(page) }))
      .filter(({ go, ours }) => (go === undefined) !== (ours === undefined));
    expect(differing).toEqual([]);
  });

  it("finds the recorded series, values and labels", () => {
    let compared = 0;
    for (const { page, series } of verdicts) {
      for (const [name, samples] of Object.entries(series ?? {})) {
        const keep = [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
        const reader = new MetricsPageReader([selector(name, {}, { keep })]);
        expect(reader.read(Buffer.from(page, "base64"))).toBeUndefined();
        const best = samples.reduce((a, b) => (b[2] > a[2] ? b : a));
        if (best[2] < 0) {
          expect(reader.finding(0)).toBe("no series");
          continue;
        }
        compared++;
        expect(reader.value(0)).toBe(Number(best[1].replace("Inf", "Infinity")));
        expect(keep.map((_, k) => reader.label(0, k))).toEqual(keep.map((label) => best[0][label]));
      }
    }
    expect(compared).toBeGreaterThan(1500);
  });
});

interface Sample {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly time: number | undefined;
}
interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "untyped" | undefined;
  readonly samples: readonly Sample[];
}

describe("metrics page, over random pages", () => {
  const label = fc.constantFrom("a", "b", "engine", "model_name", "_x");
  const text = fc.string({
    unit: fc.constantFrom("x", "0", " ", ",", "}", '"', "\\", "\n", "é", "🙂", "#"),
    maxLength: 6,
  });
  const sample: fc.Arbitrary<Sample> = fc.record({
    labels: fc.uniqueArray(fc.tuple(label, text), { selector: ([name]) => name, maxLength: 4 }),
    value: fc.oneof(fc.double(), fc.integer({ min: -5, max: 50 })),
    time: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
  });
  const family = (name: string): fc.Arbitrary<Family> =>
    fc.record({
      name: fc.constant(name),
      type: fc.constantFrom("gauge", "counter", "untyped", undefined),
      samples: fc.array(sample, { maxLength: 5 }),
    });
  const page = fc.tuple(...["q", "q_total", "vllm:q", "x_count", "x_sum", "_"].map(family));
  const blank = fc.constantFrom("", "", "", " ", "\t");
  const noise = fc.constantFrom("", "# a comment\n", "\n", "#\n", "# HELP other text \\n\n", "  \n", 'h{le="1"} 2\n');

  const quote = (value: string) => `"${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
  const write = (value: number) => (Object.is(value, -0) ? "-0" : String(value).replace("Infinity", "Inf"));
  function render(families: readonly Family[], gap: string, between: string): string {
    return families
      .map(({ name, type, samples }) => {
        const head = type === undefined ? "" : `# TYPE ${name} ${type}\n`;
        const rows = samples.map(({ labels, value, time }) => {
          const pairs = labels.map(([key, of]) => `${gap}${key}${gap}=${gap}${quote(of)}`).join(`${gap},`);
          return `${name}${labels.length > 0 ? `{${pairs}}` : ""} ${write(value)}${time === undefined ? "" : ` ${time}`}\n`;
        });
        return (
          head +
          rows.join(between.startsWith("# HELP") || between.startsWith("h{") ? "" : between) +
          between.replaceAll("other", `o_${name}`)
        );
      })
      .join("");
  }

  /** The rules, said simply. */
  function expected({ type, samples }: Family, labels: Readonly<Record<string, string>>) {
    const matching = samples.filter((one) => {
      const own = new Map(one.labels);
      return Object.entries(labels).every(([key, value]) => own.get(key) === value);
    });
    if (samples.length === 0) return { finding: "no family", value: 0 };
    if (matching.length === 0) return { finding: "no series", value: 0 };
    const best = matching.reduce((a, b) => ((b.time ?? 0) > (a.time ?? 0) ? b : a));
    return { finding: "series", value: type === "gauge" || type === "counter" ? best.value : 0 };
  }

  it("finds what a plain reading of the rules finds", () => {
    fc.assert(
      fc.property(page, blank, noise, label, text, (families, gap, between, key, value) => {
        const wanted = families.flatMap(({ name }) => [
          selector(name),
          selector(name, { [key]: value }),
          selector(name, { a: "x" }),
        ]);
        const reader = new MetricsPageReader(wanted);
        const source = render(families, gap, between);
        expect(reader.read(bytes(source))).toBeUndefined();
        wanted.forEach(({ name, labels }, k) => {
          const family = families.find((one) => one.name === name)!;
          expect({ finding: reader.finding(k), value: reader.value(k) }).toEqual(
            expected(family, Object.fromEntries(labels)),
          );
        });
      }),
      { numRuns: 1500 },
    );
  });

  it("refuses the page when any line loses its number or the last its newline", () => {
    fc.assert(
      fc.property(page, fc.nat(), (families, which) => {
        const rows = render(families, "", "").split("\n").slice(0, -1);
        const places = rows.flatMap((row, k) => (row.startsWith("#") ? [] : [k]));
        if (places.length === 0) return;
        const reader = new MetricsPageReader([selector("q")]);
        expect(reader.read(bytes(rows.join("\n")))).toMatch(/no newline/);
        const broken = places[which % places.length];
        const text = rows.with(broken, rows[broken].replace(/ [-+.\w]+( \d+)?$/, " zero")).join("\n");
        expect(reader.read(bytes(`${text}\n`))).toContain(`line ${broken + 1}: not a number: "zero"`);
      }),
    );
  });

  it("reads a page after others of its kind as a reader that never saw one", () => {
    const selectors = ["q", "q_total", "vllm:q", "h", "s"].flatMap((name) => [
      selector(name, {}, { keep: ["a", "engine"] }),
      selector(name, { a: "x" }),
    ]);
    const told = (reader: MetricsPageReader, text: string) => {
      const error = reader.read(bytes(text));
      if (error !== undefined) return error;
      return selectors.map((_, k) => [reader.finding(k), reader.value(k), reader.label(k, 0), reader.label(k, 1)]);
    };
    const bounds =
      '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 4\nh_count 3\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 2\n';
    const number = fc.constantFrom(
      "0",
      "7",
      "-3",
      "2.5 9",
      "1e3",
      "NaN",
      "",
      "x",
      " 4",
      "5 ",
      "{",
      '"',
      "1\n",
      "_b 6",
      "\t8",
    );
    const edits = fc.array(fc.tuple(fc.nat(), number), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(page, fc.array(edits, { minLength: 1, maxLength: 8 }), fc.boolean(), (families, rounds, braced) => {
        const text = `${render(families, "", "")}${bounds}${braced ? '{"q",a="x"} 1\n' : ""}`;
        const reader = new MetricsPageReader(selectors);
        expect(told(reader, text)).toEqual(told(new MetricsPageReader(selectors), text));
        for (const round of rounds) {
          const rows = text.split("\n");
          for (const [at, value] of round) {
            const row = at % (rows.length - 1);
            // Puts another number, or something else, where the line's last word stands; or changes any character.
            const place = at % (rows[row].length + 1);
            rows[row] =
              at % 3 === 0
                ? rows[row].slice(0, place) + value.slice(0, 1) + rows[row].slice(place + 1)
                : rows[row].replace(/[-+.\w]+$/, value);
          }
          const changed = rows.join("\n");
          expect(told(reader, changed)).toEqual(told(new MetricsPageReader(selectors), changed));
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("survives any bytes, and reads a good page after them as before", () => {
    const good = bytes('# TYPE q gauge\nq{a="1"} 5\n');
    const reader = new MetricsPageReader([selector("q")]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (junk) => {
        reader.read(junk);
        expect(reader.read(good)).toBeUndefined();
        expect(reader.value(0)).toBe(5);
      }),
      { numRuns: 2000 },
    );
  });
});
