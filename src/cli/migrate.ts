import { randomInt } from "node:crypto";
import { chmod, rename, rm, stat, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { migrateConfig } from "../config/migrate.ts";
import type { Command } from "./command.ts";
import { readConfigFile } from "./config-source.ts";

const HELP = `warmpath migrate FILE [--write]

Writes an EndpointPickerConfig, YAML or JSON, of any release in the newest form: older keys, type names, parameters and
feature gates become today's. Comments and order stay. The plan is made before and after, and nothing is written when
they differ. A file without anything old comes out as it is, to the byte, so running it twice changes nothing.

The new text goes to standard output, one line for each thing that was old to standard error.

  --write   writes FILE anew instead, in one step

Exit status: 0 when done, also when there was nothing to do; 1 when the file gives no plan or can't be read or written;
2 on wrong use.

Examples
  warmpath migrate config.yaml > new.yaml
  warmpath migrate config.yaml | diff config.yaml -
  warmpath migrate config.yaml --write && warmpath check config.yaml --strict-config
`;

/** `warmpath migrate`: a config in the newest form. */
export const migrateCommand: Command = {
  name: "migrate",
  summary: "writes a config of any release in the newest form",
  help: HELP,
  run,
};

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function run(argv: readonly string[]): Promise<number> {
  let file: string;
  let write: boolean;
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { write: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    if (positionals.length !== 1) throw new Error(`found ${positionals.length} files, expected one`);
    [file] = positionals;
    ({ write } = values);
  } catch (error) {
    process.stderr.write(`Cannot migrate: ${message(error)}\nSee warmpath migrate --help\n`);
    return 2;
  }
  try {
    const before = await readConfigFile(file);
    const { text, changes } = migrateConfig(before, file);
    for (const change of changes) process.stderr.write(`${change}\n`);
    if (!write) process.stdout.write(text);
    else if (text !== before) await replaceFile(file, text);
    return 0;
  } catch (error) {
    process.stderr.write(`${message(error)}\n`);
    return 1;
  }
}

/** Whoever reads the file meanwhile sees the old text or the new one, nothing between. */
async function replaceFile(file: string, text: string): Promise<void> {
  const { mode } = await stat(file);
  const beside = `${file}.${randomInt(2 ** 32).toString(36)}.new`;
  try {
    await writeFile(beside, text, { flag: "wx" });
    await chmod(beside, mode);
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw new Error(`Cannot write ${file}: ${message(error)}`, { cause: error });
  }
}
