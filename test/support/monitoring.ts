import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** A file of deploy/monitoring. */
const text = (path: string) => readFileSync(new URL(`../../deploy/monitoring/${path}`, import.meta.url), "utf8");

export const DASHBOARDS = ["beside-stock", "llm-d", "picker"] as const;

export interface Panel {
  readonly dashboard: string;
  readonly title: string;
  /** What it wants that not every picker has, such as flow control. */
  readonly needs: string | undefined;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** Panels with queries of all dashboards. */
export function panels(): readonly Panel[] {
  return DASHBOARDS.flatMap((dashboard) => {
    const { panels: all } = JSON.parse(text(`dashboards/${dashboard}.json`)) as {
      panels: (Panel & { description?: string; type: string })[];
    };
    return all
      .filter(({ type }) => type !== "row")
      .map(({ title, description = "", targets }) => {
        const needs = /Has data with: (.*)\.$/.exec(description)?.[1];
        return { dashboard, title, needs, targets };
      });
  });
}

/** Variables of a dashboard that are asked of Prometheus: `label_values(SELECTOR, LABEL)`. */
export function variables(dashboard: string): readonly { name: string; selector: string; label: string }[] {
  const { templating } = JSON.parse(text(`dashboards/${dashboard}.json`)) as {
    templating: { list: { name: string; type: string; definition: string }[] };
  };
  return templating.list
    .filter(({ type }) => type === "query")
    .map(({ name, definition }) => {
      const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(definition)!;
      return { name, selector, label };
    });
}

export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
/** A file of rules, as Prometheus reads it. */
export interface Rules {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}

/** `spec` of the PrometheusRule. */
export const rules = (): Rules => (parse(text("rules/prometheusrule.yaml")) as { spec: Rules }).spec;

/** Text of the tests for promtool. */
export const alertTests = (): string => text("rules/alerts.test.yaml");

export interface ScrapeJob {
  readonly job_name: string;
  readonly [setting: string]: unknown;
}
/** The config for a Prometheus without the operator. */
export const prometheusConfig = () =>
  parse(text("prometheus/prometheus.yaml")) as { readonly scrape_configs: readonly ScrapeJob[] };

const WORDS = new Set(["by", "without", "on", "ignoring", "group_left", "group_right", "or", "and", "unless", "bool"]);

/** Names of the metrics in an expression of PromQL. */
export function metricNames(expression: string): readonly string[] {
  const bare = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "")
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "")
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, "");
  const names = [...bare.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])/g)].map(([, name]) => name);
  return names.filter((name) => !WORDS.has(name));
}
