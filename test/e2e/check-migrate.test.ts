import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { UNBUILT } from "../../src/plugins/unbuilt/list.ts";
import { startCommand } from "../support/command.ts";

const CONFIG = `# The pool of the second floor.
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: queue-scorer # the queue alone
  - type: kv-cache-scorer
schedulingProfiles:
  - name: default
    plugins:
      - pluginRef: queue-scorer
        weight: 0
      - pluginRef: kv-cache-scorer
saturationDetector: { pluginRef: utilization-detector }
`;

/** A file of its own folder, which goes with the test. */
function file(text: string | Uint8Array, name = "config.yaml"): string {
  const folder = mkdtempSync(join(tmpdir(), "warmpath-check-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function warmpath(...args: string[]) {
  const command = startCommand(args);
  const status = await command.exit;
  return { status, out: command.stdout.join("\n"), error: command.stderr.join("\n") };
}

describe("warmpath check", () => {
  it("shows people the plan of a file, with what defaulting made, and what is old or useless at its place", async () => {
    const path = file(CONFIG);
    const { status, out, error } = await warmpath("check", path);
    expect({ status, error }).toEqual({ status: 0, error: "" });
    expect(out).toMatch(/score +kv-cache-scorer +weight 1 +100 %/);
    expect(out).toMatch(/max-score-picker +created: no picker is declared/);
    expect(out).toMatch(/WaitingQueueSize +core-metrics-extractor +-> +queue-scorer/);
    expect(out).toContain(`${path}:11:17: warning: schedulingProfiles[0].plugins[0].weight: queue-scorer has weight 0`);
    expect(out).toContain(`${path}:6:11: warning: plugins[1].type: an older name of kv-cache-utilization-scorer`);
    // A pipe is no terminal.
    expect(out).not.toContain("\u001B[");
  });

  it("gives programs the same as JSON", async () => {
    const { status, out } = await warmpath("check", file(CONFIG), "--json", "--body-bytes-max=1MiB");
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      errors: [],
      plan: { profileHandler: "single-profile-handler", profiles: [{ name: "default", picker: "max-score-picker" }] },
      limits: { bodyBytesMax: 1_048_576 },
      options: { bodyBytesMax: 1_048_576 },
      warnings: expect.arrayContaining([expect.objectContaining({ line: 11, column: 17, lint: "zero-weight" })]),
    });
  });

  it("takes the command line of epp", async () => {
    const { status, out } = await warmpath("check", "--pool-name", "p", "--secure-serving=false", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      file: "the built-in default config",
      options: { poolName: "p", secureServing: false },
      warnings: [],
    });
  });

  it("takes the command line of another release, with what is old or unknown in it as warnings", async () => {
    const { status, out } = await warmpath(
      "check",
      "-poolName",
      "p",
      "--refreshMetricsInterval=1s",
      "--flag-of-2030",
      "x",
      "--kvCacheUsagePercentageMetric=m",
      "--config-text",
      "plugins: [{type: queue-scorer}]",
      "--json",
    );
    expect(status).toBe(0);
    const { options, warnings, plan } = JSON.parse(out) as {
      options: object;
      warnings: { message: string }[];
      plan: { plugins: { type: string; parameters: object }[] };
    };
    expect(options).toMatchObject({ poolName: "p", refreshMetricsIntervalUs: 1_000_000 });
    expect(warnings.map(({ message }) => message).join("\n")).toMatch(/flag-of-2030/);
    const extractor = plan.plugins.find(({ type }) => type === "core-metrics-extractor")!;
    expect(extractor.parameters).toMatchObject({ engineConfigs: [{ name: "vllm", kvUsageSpec: "m" }] });
  });

  // Shrinks to nothing as types are built.
  const unbuilt = UNBUILT.find(({ points, params, stability }) => {
    return points.includes("scorer") && stability !== "alpha" && params.safeParse({}).success;
  });
  it.runIf(unbuilt)("plans a type that is not built yet, names it, and ends with 1 as epp would refuse", async () => {
    const text = `plugins: [{type: ${unbuilt!.type}}]`;
    const { status, out } = await warmpath("check", "--pool-name=p", "--json", "--config-text", text);
    expect(status).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      errors: [],
      unbuilt: expect.arrayContaining([expect.objectContaining({ message: expect.stringContaining(unbuilt!.type) })]),
      plan: { profiles: [{ scorers: [{ name: unbuilt!.type }] }] },
    });
  });

  it("ends with 1 and all errors at their places", async () => {
    const path = file(
      "plugins:\n- type: queu-scorer\n- type: random-picker\n  parameters: {maxNumOfEndpoints: many}\n",
    );
    const { status, out } = await warmpath("check", path);
    expect(status).toBe(1);
    expect(out).toContain(`${path}:2:9: error: plugins[0].type: found "queu-scorer"`);
    expect(out).toContain(`${path}:4:35: error: plugins[1].parameters.maxNumOfEndpoints: found "many"`);
    expect(out).toContain("no plan, 2 errors");
  });

  it.each([
    ["a file that is not there", ["check", "/nowhere/config.yaml"], 1, "Cannot read /nowhere/config.yaml"],
    ["nothing", ["check"], 2, "Cannot check nothing"],
    ["no pool", ["check", "--secure-serving=false"], 1, "Cannot find the pool"],
  ])("says why it can't work with %s", async (_, args, expected, text) => {
    const { status, out, error } = await warmpath(...args);
    expect({ status, out }).toEqual({ status: expected, out: "" });
    expect(error).toContain(text);
  });

  it("says so when a file is not UTF-8", async () => {
    const { status, error } = await warmpath("check", file(new Uint8Array([0x61, 0xff, 0x0a])));
    expect(status).toBe(1);
    expect(error).toContain("found bytes that are not UTF-8");
  });
});

describe("warmpath migrate", () => {
  const NEWEST = `# The pool of the second floor.
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
  - type: queue-scorer # the queue alone
  - type: kv-cache-utilization-scorer
    name: kv-cache-scorer
schedulingProfiles:
  - name: default
    plugins:
      - pluginRef: queue-scorer
        weight: 0
      - pluginRef: kv-cache-scorer
flowControl:
  saturationDetector: { pluginRef: utilization-detector }
`;

  it("writes the newest form to standard output and what was old to standard error", async () => {
    const path = file(CONFIG);
    const { status, out, error } = await warmpath("migrate", path);
    expect({ status, out: `${out}\n` }).toEqual({ status: 0, out: NEWEST });
    expect(error).toContain(`${path}:2:13: apiVersion: an older form of llm-d.ai/v1alpha1`);
    expect(readFileSync(path, "utf8")).toBe(CONFIG);
  });

  it("rewrites the file with --write, leaves nothing beside it, and has nothing to do the second time", async () => {
    const path = file(CONFIG);
    expect((await warmpath("migrate", "--write", path)).status).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(NEWEST);
    expect(readdirSync(dirname(path))).toEqual(["config.yaml"]);
    expect(await warmpath("migrate", path, "--write")).toEqual({ status: 0, out: "", error: "" });
    expect(readFileSync(path, "utf8")).toBe(NEWEST);
    expect((await warmpath("check", path, "--strict-config")).status).toBe(0);
  });

  it("leaves a broken file alone and tells all that is wrong with it", async () => {
    const text = "data: {}\nplugins:\n- type: queu-scorer\n";
    const path = file(text);
    const { status, out, error } = await warmpath("migrate", "--write", path);
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(error).toContain(`${path}:3:9: plugins[0].type: found "queu-scorer"`);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it.each([[["migrate"]], [["migrate", "a", "b"]], [["migrate", "--wirte", "a"]]])(
    "refuses wrong use: %s",
    async (args) => {
      const { status, error } = await warmpath(...args);
      expect(status).toBe(2);
      expect(error).toContain("See warmpath migrate --help");
    },
  );

  it.each(["check", "migrate"])("explains %s with examples", async (name) => {
    const { status, out } = await warmpath(name, "--help");
    expect(status).toBe(0);
    expect(out).toContain(`Examples\n  warmpath ${name} config.yaml`);
  });
});
