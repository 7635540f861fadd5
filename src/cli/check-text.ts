import Table from "cli-table3";
import type { PlanReport } from "../config/plan-report.ts";

/** One thing that is wrong, old or can't work. Without a place when it is about a flag. */
export interface CheckMessage {
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
  /** Name of the lint that found it. */
  readonly lint?: string;
}

/** What `warmpath check` found. Durations in microseconds. */
export interface CheckReport {
  /** True when epp would serve with it. */
  readonly ok: boolean;
  readonly file: string;
  readonly errors: readonly CheckMessage[];
  readonly warnings: readonly CheckMessage[];
  /** Null when there are errors. Present also when something in it is not built. */
  readonly plan: PlanReport | null;
  /** What is understood and what this release cannot serve with. */
  readonly unbuilt: readonly CheckMessage[];
  readonly limits: Readonly<Record<string, number>>;
  readonly options: Readonly<Record<string, unknown>>;
}

const counted = ({ length }: readonly unknown[], word: string): string => `${length} ${word}${length === 1 ? "" : "s"}`;

type Colour = (format: "bold" | "red" | "yellow" | "green" | "dim", text: string) => string;

/** A report for people. `colour` leaves the text as it is where there is no terminal. */
export function checkText(report: CheckReport, colour: Colour): string {
  const { ok, file, plan, unbuilt, errors, warnings } = report;
  const sections = plan ? planSections(plan, colour) : [];
  if (plan) {
    sections.push(section("Limits", Object.entries(report.limits), colour));
    const options = Object.entries(report.options).map(([name, value]) => [name, JSON.stringify(value)]);
    sections.push(section("Flags that are not at their defaults", options, colour));
  }
  const said = [
    ...messages("error", errors, file, colour),
    ...messages("warning", warnings, file, colour),
    ...messages("not built", unbuilt, file, colour),
  ];
  const counts = [counted(errors, "error"), counted(warnings, "warning")];
  if (unbuilt.length > 0) counts.push(`${unbuilt.length} not built yet: epp refuses to serve`);
  const verdict = ok ? colour("green", "a plan") : colour(plan ? "yellow" : "red", plan ? "a plan" : "no plan");
  return (
    [...sections, said.join("\n"), `${file}: ${verdict}, ${counts.join(", ")}`].filter(Boolean).join("\n\n") + "\n"
  );
}

function planSections(plan: PlanReport, colour: Colour): string[] {
  const profiles = plan.profiles.map(({ name, filters, scorers, picker }) =>
    section(
      `Profile ${name}`,
      [
        ...filters.map((filter) => ["filter", filter]),
        ...scorers.map(({ name: scorer, weight, share }) => ["score", scorer, `weight ${weight}`, percent(share)]),
        ["pick", picker],
      ],
      colour,
    ),
  );
  const plugins = plan.plugins.map(({ name, type, declaredAt, createdBecause, parameters, changed }) => [
    name,
    type === name ? "" : type,
    declaredAt ?? `created: ${createdBecause}`,
    changed.map((key) => `${key}=${JSON.stringify((parameters as Record<string, unknown>)[key])}`).join(" "),
  ]);
  const data = plan.data.map(({ kind, producers, readers }) => [
    kind,
    producers.join(", ") || "nobody",
    "->",
    readers.map(({ name, required }) => (required ? name : `${name} (optional)`)).join(", ") || "nobody",
  ]);
  const { discovery, sources } = plan.dataLayer;
  const signals = sources.map(({ name, extractors }) => [
    "source",
    name,
    "->",
    extractors.join(", ") || "no extractor",
  ]);
  const way = [
    ["parsers", plan.parsers.join(", ")],
    ["saturation", plan.saturationDetector],
    ["producers", plan.producers.join(", ") || "none"],
    ["profiles run by", plan.profileHandler],
  ];
  return [
    section("Plugins", plugins, colour),
    section("Way of a request", way, colour),
    ...profiles,
    section("Data", data, colour),
    section("Endpoints and signals", [["endpoints", discovery ?? "Kubernetes"], ...signals], colour),
  ];
}

const percent = (share: number | null): string => (share === null ? "" : `${Math.round(share * 100)} %`);

/** A title with rows whose columns stand under each other. */
function section(title: string, rows: readonly (readonly (string | number)[])[], colour: Colour): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const none = Object.fromEntries(
    ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right", "left"]
      .concat(["left-mid", "mid", "mid-mid", "right", "right-mid"])
      .map((part) => [part, ""]),
  );
  const table = new Table({
    chars: { ...none, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  for (const row of rows) table.push(Array.from({ length: columns }, (_, i) => String(row[i] ?? "")));
  const lines = rows.length === 0 ? "none" : table.toString();
  const indented = lines.split("\n").map((line) => `  ${line.trimEnd()}`);
  return [colour("bold", title), ...indented].join("\n");
}

function messages(
  kind: "error" | "warning" | "not built",
  list: readonly CheckMessage[],
  file: string,
  colour: Colour,
): string[] {
  return list.map(({ line, column, message, lint }) => {
    const where = line === undefined ? "" : `${file}:${line}:${column}: `;
    const name = lint === undefined ? "" : colour("dim", ` [${lint}]`);
    return `${where}${colour(kind === "error" ? "red" : "yellow", kind)}: ${message}${name}`;
  });
}
