/**
 * Writes deploy/monitoring/dashboards/NAME.json from NAME.yaml, which says what a dashboard shows and nothing of how
 * Grafana writes it down. The unit test beside it fails when the two differ.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { parse } from "yaml";

const FOLDER = new URL("../deploy/monitoring/dashboards/", import.meta.url);
const DATASOURCE = { type: "prometheus", uid: "${datasource}" };
const PANELS_IN_A_ROW = 3;
const WIDTH = 24;
const HEIGHT = 8;

/** What `<name>` in a query stands for. */
const SELECTORS = {
  picker: 'namespace=~"$namespace"',
  pool: 'namespace=~"$namespace",name=~"$pool"',
  model: 'namespace=~"$namespace",model_name=~"$model_name"',
  vllm: 'namespace=~"$namespace",model_name=~"$model_name"',
  ours: 'namespace=~"$namespace",service=~"$ours"',
  stock: 'namespace=~"$namespace",service=~"$stock"',
  both: 'namespace=~"$namespace",service=~"$ours|$stock"',
  rate: "$__rate_interval",
};

/** Where each variable takes its values from. All of them match a label that is not there, too. */
const VARIABLES = {
  namespace: ["Namespace", "label_values(inference_pool_ready_pods, namespace)"],
  model_name: ["Model", 'label_values(vllm:num_requests_running{namespace=~"$namespace"}, model_name)'],
  pool: ["Pool", 'label_values(inference_pool_ready_pods{namespace=~"$namespace"}, name)'],
  ours: ["Ours", 'label_values(warmpath_requests_in_flight{namespace=~"$namespace"}, service)'],
  stock: ["Stock", 'label_values(inference_pool_ready_pods{namespace=~"$namespace"}, service)'],
};

/** Names of the dashboards. */
export const dashboardNames = () =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith(".yaml") && name !== "kustomization.yaml")
    .map((name) => name.slice(0, -".yaml".length));

/** What a dashboard's source says: title, variables, rows of panels. */
export const dashboardSource = (name) => parse(readFileSync(new URL(`${name}.yaml`, FOLDER), "utf8"));

/** A dashboard as Grafana imports it: text of JSON, as it stands in the folder. */
export async function dashboardJson(name) {
  const { uid, title, description, variables, rows } = dashboardSource(name);
  const dashboard = {
    uid,
    title,
    description,
    tags: ["llm-d", "warmpath"],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: { list: [{ name: "datasource", type: "datasource", query: "prometheus" }, ...variables.map(variable)] },
    panels: panelsOf(rows),
  };
  return format(JSON.stringify(dashboard), { parser: "json", printWidth: 120 });
}

function variable(name) {
  const [label, query] = VARIABLES[name];
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    multi: name !== "stock",
    includeAll: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
}

function panelsOf(rows) {
  const panels = [];
  let y = 0;
  const add = (panel, gridPos) => panels.push({ id: panels.length + 1, ...panel, gridPos });
  for (const row of rows) {
    add({ type: "row", title: row.title, collapsed: false, panels: [] }, { x: 0, y, w: WIDTH, h: 1 });
    y++;
    const w = WIDTH / (row.panels.length === 4 ? 4 : PANELS_IN_A_ROW);
    row.panels.forEach((panel, i) => {
      const column = i % (WIDTH / w);
      if (i > 0 && column === 0) y += HEIGHT;
      add(panelOf(panel), { x: column * w, y, w, h: HEIGHT });
    });
    y += HEIGHT;
  }
  return panels;
}

function panelOf({ title, text, needs, unit = "short", kind = "timeseries", queries, quantiles }) {
  const description = [text, needs && `Has data with: ${needs}.`].filter(Boolean).join(" ");
  return {
    type: kind,
    title,
    ...(description && { description }),
    datasource: DATASOURCE,
    fieldConfig: { defaults: { unit, min: quantiles || unit === "s" ? 0 : undefined }, overrides: [] },
    targets: Object.entries(queries ?? quantileQueries(quantiles)).map(([legendFormat, expr], i) => ({
      refId: String.fromCodePoint("A".codePointAt(0) + i),
      datasource: DATASOURCE,
      expr: expr.replaceAll(/<(\w+)>/g, (_, name) => SELECTORS[name]),
      legendFormat,
    })),
  };
}

const quantileQueries = (buckets) =>
  Object.fromEntries(
    [50, 95, 99].map((percent) => [`p${percent}`, `histogram_quantile(${percent / 100}, sum by (le) (${buckets}))`]),
  );

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of dashboardNames()) writeFileSync(new URL(`${name}.json`, FOLDER), await dashboardJson(name));
}
