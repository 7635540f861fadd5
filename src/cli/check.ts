import { styleText } from "node:util";
import { CONFIG_CHARS_MAX } from "../config/read-config.ts";
import type { Blueprint } from "../config/blueprint.ts";
import { readBlueprint } from "../config/blueprint.ts";
import { ConfigError } from "../config/config-error.ts";
import type { EppFlags } from "../config/epp-flags.ts";
import { parseEppFlags } from "../config/epp-flags.ts";
import { LINTS, lintPlan } from "../config/plan-lint.ts";
import { planReport } from "../config/plan-report.ts";
import { DEFAULT_CORE_LIMITS } from "../core/core-limits.ts";
import type { ConfigSource } from "../core/events.ts";
import type { CheckMessage, CheckReport } from "./check-text.ts";
import { checkText } from "./check-text.ts";
import type { Command } from "./command.ts";
import { configSource } from "./config-source.ts";

const HELP = `warmpath check [FILE] [epp flags] [--json]

Says what a config comes to, without serving: every plugin, also those that are made because others need them, each
profile's filters, scorers with their weights, and picker, which data goes from whom to whom, parsers, signals, limits,
and the flags that are set. Then what is wrong, old, or can't work, each with file, line and column.

FILE is an EndpointPickerConfig, YAML or JSON. Instead of it, or with it, comes the command line of epp as it stands in
a manifest, in any release's spelling: the plan is then the one that this command line would serve with.

  --json   the same for programs: {ok, file, errors, warnings, unbuilt, plan, limits, options}; times in microseconds

Exit status: 0 when epp would serve with it (warnings or not), 1 when it would refuse, 2 on wrong use.

What is looked for in a plan that loads
${LINTS.map(({ name, doc }) => `  ${name.padEnd(24)}${doc}`).join("\n")}

Examples
  warmpath check config.yaml
  warmpath check config.yaml --allow-experimental-plugins --strict-config
  warmpath check --pool-name pool --config-file config.yaml --secure-serving=false
  warmpath check config.yaml --json | jq '.plan.profiles'
`;

/** `warmpath check`: the effective plan of a config or a command line. */
export const checkCommand: Command = {
  name: "check",
  summary: "what a config or a command line of epp comes to, and what is wrong with it",
  help: HELP,
  run,
};

async function run(argv: readonly string[]): Promise<number> {
  const json = argv.includes("--json");
  const args = argv.filter((argument) => argument !== "--json");
  if (args.length === 0) return wrongUse(["Cannot check nothing: expected a FILE or the command line of epp"], 2);
  const parsed = parseEppFlags(eppArgv(args), process.env);
  if (!parsed.ok) return wrongUse(parsed.errors, parsed.exitCode);
  let source: ConfigSource;
  try {
    source = await configSource(parsed.flags);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  const report = checkReport(source, parsed.flags, parsed.warnings);
  const colour = (format: Parameters<typeof styleText>[0], text: string): string =>
    process.stdout.isTTY && !process.env["NO_COLOR"] ? styleText(format, text) : text;
  process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : checkText(report, colour));
  return report.ok ? 0 : 1;
}

function wrongUse(errors: readonly string[], status: 1 | 2): number {
  process.stderr.write(`${errors.join("\n")}\nSee warmpath check --help\n`);
  return status;
}

/** A pool for a config that stands alone: no part of it depends on the name. */
const POOL_OF_A_FILE = "--pool-name=pool";

/** `FILE ...` as a command line of epp. */
function eppArgv([first, ...rest]: readonly string[]): readonly string[] {
  if (first.startsWith("-")) return [first, ...rest];
  const namesPool = rest.some((argument) => /^--?(pool-?name|endpoint-?selector)\b/i.test(argument));
  return [...(namesPool ? [] : [POOL_OF_A_FILE]), ...rest, "--config-file", first];
}

function checkReport(source: ConfigSource, flags: EppFlags, flagWarnings: readonly string[]): CheckReport {
  const file = flags.configFile || (flags.configText ? "config" : "the built-in default config");
  const base = {
    file,
    limits: {
      configCharsMax: CONFIG_CHARS_MAX,
      ...DEFAULT_CORE_LIMITS,
      prefixIndexBytesMax: flags.prefixIndexBytesMax,
      bodyBytesMax: flags.bodyBytesMax,
      bodyBytesInFlightMax: flags.bodyBytesInFlightMax,
    },
    options: optionsOf(flags),
  };
  const aboutFlags = flagWarnings.map((message): CheckMessage => ({ message }));
  let blueprint: Blueprint;
  try {
    blueprint = readBlueprint(source);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const errors = error.problems.map(({ place, path, text }) => located(place, path, text));
    return { ...base, ok: false, errors, warnings: aboutFlags, plan: null, unbuilt: [] };
  }
  const lints = lintPlan(source.text, blueprint).map(({ place, path, text, lint }) => ({
    ...located(place, path, text),
    lint,
  }));
  const old = blueprint.warnings.map((line) => fromLine(line, blueprint.options.file));
  const placed = [...old, ...lints].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return {
    ...base,
    ok: blueprint.unbuilt.length === 0,
    errors: [],
    warnings: [...aboutFlags, ...placed],
    plan: planReport(blueprint),
    unbuilt: blueprint.unbuilt.map(({ what, where, place }) => located(place, where, what)),
  };
}

const located = (place: { readonly line: number; readonly column: number }, path: string, text: string) => ({
  ...place,
  message: path === "" ? text : `${path}: ${text}`,
});

/** `file:line:column: message`, taken apart. */
function fromLine(line: string, file: string): CheckMessage {
  const [, at, column, message] = /^:(\d+):(\d+): ([\s\S]*)$/.exec(line.slice(file.length)) ?? [];
  return message === undefined ? { message: line } : { line: Number(at), column: Number(column), message };
}

/** Flags whose values are not the defaults; a config given as text is not told again. */
function optionsOf({ configText, ...flags }: EppFlags): CheckReport["options"] {
  const defaults = parseEppFlags([POOL_OF_A_FILE], {});
  const before: Readonly<Record<string, unknown>> = defaults.ok ? defaults.flags : {};
  const changed = Object.entries(flags).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]),
  );
  const text = configText === "" ? [] : [["configText", `${configText.length} characters`] as const];
  return Object.fromEntries([...changed, ...text]);
}
