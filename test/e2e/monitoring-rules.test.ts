import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { alertTests, rules, type Rule, type Rules } from "../support/monitoring.ts";
import { describeWithPrometheus, runPromtool, testFolder } from "../support/prometheus.ts";

const alerts = rules().groups.flatMap(({ rules: own }) => own);

/** Runs the tests of alerts against rules. */
async function testRules(tested: Rules) {
  const folder = testFolder();
  writeFileSync(join(folder, "rules.yaml"), stringify(tested));
  writeFileSync(join(folder, "alerts.test.yaml"), alertTests());
  return runPromtool("test", "rules", join(folder, "alerts.test.yaml"));
}

const withEach = (change: (rule: Rule) => Partial<Rule>): Rules => ({
  groups: rules().groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => ({ ...rule, ...change(rule) })),
  })),
});

/** Alerts whose expectations a failed run names. */
const namedIn = (said: string) =>
  alerts.map(({ alert }) => alert).filter((alert) => new RegExp(`\\b${alert}\\b`).test(said));
const NAMES = alerts.map(({ alert }) => alert);

describeWithPrometheus("the alerts, by promtool,", () => {
  it("are rules that Prometheus takes", async () => {
    const file = join(testFolder(), "rules.yaml");
    writeFileSync(file, stringify(rules()));
    const { failed, said } = await runPromtool("check", "rules", file);
    expect(said).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(failed).toBe(false);
  });

  it("fire on what they are for, and on nothing that is well", async () => {
    expect(await testRules(rules())).toEqual({ failed: false, said: expect.stringContaining("SUCCESS") });
  });

  it("are each missed by the tests when they never fire, and noticed when they fire always", async () => {
    const never = await testRules(withEach(() => ({ expr: "vector(1) > 2" })));
    expect([never.failed, namedIn(never.said)]).toEqual([true, NAMES]);
    const always = await testRules(withEach(() => ({ expr: "vector(1)" })));
    expect([always.failed, namedIn(always.said)]).toEqual([true, NAMES]);
  });

  it("are each missed by the tests when they take hours to fire", async () => {
    const slow = await testRules(withEach(() => ({ for: "3h" })));
    expect([slow.failed, namedIn(slow.said)]).toEqual([true, NAMES]);
  });
});

describe("each alert", () => {
  it.each(alerts)("$alert says how bad it is, what it is about and what to do", ({ labels, annotations }) => {
    expect(["critical", "warning"]).toContain(labels["severity"]);
    expect(annotations["summary"]).toMatch(/^\S.{10,}/);
    expect(annotations["description"]).toMatch(/\.$/);
  });
});

// No package that the tests may count on brings it.
const KUBECTL = "kubectl";
const hasKubectl = spawnSync(KUBECTL, ["kustomize", "--help"]).status === 0;
if (hasKubectl) describe("deploy/monitoring, as kubectl kustomize builds it,", kustomized);
else console.log("left out, there is no kubectl: deploy/monitoring as kubectl kustomize builds it");

function kustomized(): void {
  const build = (folder: string) =>
    buildOf(fileURLToPath(new URL(`../../deploy/monitoring/${folder}`, import.meta.url)));

  it("has monitors, alerts and a ConfigMap for each dashboard", () => {
    expect(
      build(".")
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
        .toSorted(),
    ).toEqual([
      "ConfigMap warmpath-dashboard-beside-stock",
      "ConfigMap warmpath-dashboard-llm-d",
      "ConfigMap warmpath-dashboard-picker",
      "PodMonitor warmpath-vllm",
      "PrometheusRule warmpath",
      "ServiceMonitor warmpath-epp",
    ]);
  });

  it("shows the pickers a token where the component is added", () => {
    const folder = testFolder();
    const monitoring = fileURLToPath(new URL("../../deploy/monitoring", import.meta.url));
    cpSync(monitoring, folder, { recursive: true });
    const kustomization = {
      namespace: "demo-llm",
      resources: ["../scrape"],
      components: ["../components/metrics-token"],
    };
    mkdirSync(join(folder, "mine"));
    writeFileSync(join(folder, "mine/kustomization.yaml"), stringify(kustomization));
    const all = buildOf(join(folder, "mine"));
    const of = (kind: string) => all.find((object) => object.kind === kind)!;
    const credentials = { name: "warmpath-metrics-reader-token", key: "token" };
    const { endpoints } = of("ServiceMonitor").spec!;
    expect(endpoints.map(({ authorization }) => authorization?.credentials)).toEqual([credentials, credentials]);
    expect(of("Secret").metadata.name).toBe(credentials.name);
    expect(of("ClusterRoleBinding").subjects).toEqual([
      { kind: "ServiceAccount", name: of("ServiceAccount").metadata.name, namespace: "demo-llm" },
    ]);
  });

  it("keeps the rules as they were tested", () => {
    const built = build("rules")[0] as unknown as { spec: Rules };
    expect(built.spec).toEqual(rules());
  });
}

/** What the tests read of an object. */
interface Built {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly endpoints: readonly { readonly authorization?: { readonly credentials: object } }[] };
  readonly subjects?: readonly object[];
}

function buildOf(folder: string): readonly Built[] {
  const text = execFileSync(KUBECTL, ["kustomize", folder], { encoding: "utf8" });
  return parseAllDocuments(text).map((document) => document.toJS() as Built);
}
