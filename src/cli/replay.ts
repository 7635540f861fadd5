import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { compilePlan } from "../config/compile-plan.ts";
import { Replay } from "../core/replay.ts";
import type { Command } from "./command.ts";

const help = `
warmpath replay FILE [--json]

Plays the events that \`warmpath epp --record-events FILE\` wrote through a fresh core: no network, no clock, the same
config and seed. Compares the decisions, with all their reasons, by hash.

  --json   one JSON object: {"events", "decisions", "hash", "recorded", "same"}

Exit status: 0 the decisions are the same, 1 they differ or the log is cut off, 2 wrong use.

Example
  warmpath epp --config-file config.yaml --pool-name pool --record-events run.jsonl
  warmpath replay run.jsonl
`;

/** `warmpath replay`. */
export const replayCommand: Command = { name: "replay", summary: "plays a recorded run again", help, run };

async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { json: { type: "boolean", default: false } },
  });
  if (positionals.length !== 1) {
    process.stderr.write(
      `Cannot replay: found ${positionals.length} files, expected one. See warmpath replay --help\n`,
    );
    return 2;
  }
  const replay = new Replay({ compile: compilePlan });
  const lines = createInterface({ input: createReadStream(positionals[0]), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) if (line !== "") replay.push(line);
  const result = replay.end();
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`${describe(result)}\n`);
  return result.same ? 0 : 1;
}

function describe(result: ReturnType<Replay["end"]>): string {
  const mine = `${result.events} events, ${result.decisions} decisions, hash ${result.hash}`;
  if (!result.recorded)
    return `${mine}\nThe log has no end line: the run was cut off, so there is nothing to compare with.`;
  if (result.same) return `${mine}\nThe same as recorded.`;
  const { recorded } = result;
  return `${mine}\nNot the same as recorded: ${recorded.events} events, ${recorded.decisions} decisions, hash ${recorded.hash}`;
}
