import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDcgmExtractor, dcgmExtractor } from "./dcgm-extractor.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

interface Gpu {
  readonly gpu: number;
  readonly value: string;
  /** Undefined: the label is not there. */
  readonly pod?: string;
}

/** A page as the DCGM exporter writes it, with and without pods. */
const dcgmPage = (gpus: readonly Gpu[], type = "gauge"): string =>
  [
    "# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).",
    "# TYPE DCGM_FI_DEV_SM_CLOCK gauge",
    ...gpus.map(({ gpu, pod }) => `DCGM_FI_DEV_SM_CLOCK{${labelsOf(gpu, pod)}} 1410`),
    "# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).",
    `# TYPE DCGM_FI_DEV_GPU_UTIL ${type}`,
    ...gpus.map(({ gpu, pod, value }) => `DCGM_FI_DEV_GPU_UTIL{${labelsOf(gpu, pod)}} ${value}`),
    "# HELP DCGM_FI_DEV_FB_USED Framebuffer memory used (in MiB).",
    "# TYPE DCGM_FI_DEV_FB_USED gauge",
    ...gpus.map(({ gpu, pod }) => `DCGM_FI_DEV_FB_USED{${labelsOf(gpu, pod)}} 71234`),
    "",
  ].join("\n");

const labelsOf = (gpu: number, pod: string | undefined): string =>
  `gpu="${gpu}",UUID="GPU-6ab1d0e2-${gpu}",pci_bus_id="00000000:0${gpu}:00.0",device="nvidia${gpu}",` +
  `modelName="NVIDIA H100 80GB HBM3",Hostname="node-1",DCGM_FI_DRIVER_VERSION="550.54.15"` +
  (pod === undefined ? "" : `,container="vllm",namespace="llm",pod="${pod}"`);

const extractor = createDcgmExtractor();
const extract = (page: string, name = "pod-0") => extractor.extract(bytes(page), { name, labels: {} });
const used = (utilization: number) => ({
  row: { attributes: { GPUUtilization: utilization }, aside: true },
  errors: [],
});

describe("dcgm-extractor", () => {
  it.each<[string, readonly Gpu[], number]>([
    ["one GPU", [{ gpu: 0, value: "37", pod: "pod-0" }], 0.37],
    ["the busiest of the pod's", [0, 1, 2].map((gpu) => ({ gpu, value: `${[10, 95, 50][gpu]}`, pod: "pod-0" })), 0.95],
    [
      "not those of other pods",
      [
        { gpu: 0, value: "12", pod: "pod-0" },
        { gpu: 1, value: "99", pod: "pod-1" },
      ],
      0.12,
    ],
    [
      "those without a pod",
      [
        { gpu: 0, value: "12", pod: "pod-0" },
        { gpu: 1, value: "99" },
      ],
      0.99,
    ],
    [
      "not those that no pod uses",
      [
        { gpu: 0, value: "12", pod: "pod-0" },
        { gpu: 1, value: "99", pod: "" },
      ],
      0.12,
    ],
    ["0 for an idle one", [{ gpu: 0, value: "0", pod: "pod-0" }], 0],
    ["0 for a value below", [{ gpu: 0, value: "-3", pod: "pod-0" }], 0],
    ["more than 1 as it is told", [{ gpu: 0, value: "150", pod: "pod-0" }], 1.5],
    [
      "passing over NaN",
      [
        { gpu: 0, value: "NaN", pod: "pod-0" },
        { gpu: 1, value: "5", pod: "pod-0" },
      ],
      0.05,
    ],
  ])("reads %s", (_, gpus, utilization) => {
    expect(extract(dcgmPage(gpus))).toEqual(used(utilization));
  });

  it("tells each pod its own from one page, page after page", () => {
    for (let round = 0; round < 5; round++) {
      const page = dcgmPage([0, 1, 2, 3].map((gpu) => ({ gpu, value: `${gpu * 10 + round}`, pod: `pod-${gpu}` })));
      for (let gpu = 0; gpu < 4; gpu++) expect(extract(page, `pod-${gpu}`)).toEqual(used((gpu * 10 + round) / 100));
    }
  });

  it.each([
    ["no such metric", "# TYPE a gauge\na 1\n", /the page has none$/],
    ["none for the pod", dcgmPage([{ gpu: 0, value: "5", pod: "pod-7" }]), /it has none for pod "pod-0"$/],
    ["only NaN", dcgmPage([{ gpu: 0, value: "NaN", pod: "pod-0" }]), /it has none for pod "pod-0"$/],
    ["an infinite one", dcgmPage([{ gpu: 0, value: "+Inf", pod: "pod-0" }]), /^Cannot use Infinity/],
  ])("takes %s for an error, and nothing changes", (_, page, error) => {
    expect(extract(page)).toEqual({ errors: [expect.stringMatching(error)] });
  });

  it("counts what is no gauge or counter as 0, as stock", () => {
    expect(extract(dcgmPage([{ gpu: 0, value: "80", pod: "pod-0" }], "untyped"))).toEqual(used(0));
  });

  it("refuses a page that is none", () => {
    expect(extract("<html>\n")).toEqual({ failed: expect.stringMatching(/^Cannot read the metrics page: line 1/) });
  });

  it("gives a number of 0 or more, or an error, for any values and any bytes", () => {
    const values = fc.oneof(fc.double().map(String), fc.constantFrom("NaN", "+Inf", "-Inf", "1e400", "-0"));
    const gpu = fc.record({ gpu: fc.nat(9), value: values, pod: fc.constantFrom("pod-0", "pod-1", "") });
    fc.assert(
      fc.property(fc.array(gpu), (gpus) => {
        const result = extract(dcgmPage(gpus));
        if ("failed" in result || !result.row) return;
        const own = gpus.filter(({ pod }) => pod === "pod-0").map(({ value }) => Number(value));
        const most = Math.max(0, ...own.filter((value) => !Number.isNaN(value)));
        expect(result.row.attributes!["GPUUtilization"]).toBe(most / 100);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (page) => void extractor.extract(page, { name: "", labels: {} })),
    );
  });

  it("produces one key, whatever its own name is", () => {
    expect(dcgmExtractor.data!({}, "mine").produces!.map(({ id }) => id)).toEqual(["GPUUtilization/dcgm-extractor"]);
  });
});
