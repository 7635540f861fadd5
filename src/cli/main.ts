#!/usr/bin/env node
import { didYouMean } from "../config/did-you-mean.ts";
import type { Command } from "./command.ts";

/** Commands load when they are called: `warmpath --help` pays for none of them. */
const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  epp: {
    summary: "the Endpoint Picker: answers Envoy over ext_proc (takes the stock EPP's flags)",
    load: async () => (await import("./epp.ts")).eppCommand,
  },
  gateway: {
    summary: "an HTTP reverse proxy with the picker inside, for machines without Envoy",
    load: async () => (await import("./gateway.ts")).gatewayCommand,
  },
  pods: {
    summary: "simulated vLLM pods over an engine model",
    load: async () => (await import("./pods.ts")).podsCommand,
  },
  demo: {
    summary: "two fleets side by side: random routing against warmpath, live on a page",
    load: async () => (await import("./demo.ts")).demoCommand,
  },
  check: {
    summary: "what a config or a command line of epp comes to, and what is wrong with it",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  migrate: {
    summary: "writes a config of any release in the newest form",
    load: async () => (await import("./migrate.ts")).migrateCommand,
  },
  replay: {
    summary: "plays a recorded run again and compares its decisions",
    load: async () => (await import("./replay.ts")).replayCommand,
  },
};

const usage = (): string => {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `warmpath: picks the vLLM pod whose KV cache already holds the prompt.

Usage: warmpath COMMAND [options]

${lines.join("\n")}

\`warmpath COMMAND --help\` explains a command, with examples.
`;
};

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(usage());
    return name === undefined ? 2 : 0;
  }
  const entry = COMMANDS[name];
  if (!entry) {
    const near = didYouMean(name, Object.keys(COMMANDS));
    process.stderr.write(
      `Cannot run "${name}": no such command${near ? `; did you mean "${near}"?` : ""} Known: ${Object.keys(COMMANDS).join(", ")}\n`,
    );
    return 2;
  }
  const command = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${command.help.trimEnd()}\n`);
    return 0;
  }
  return command.run(rest);
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
