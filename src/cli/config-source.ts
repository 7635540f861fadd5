import { readFile } from "node:fs/promises";
import { configOptionsOf } from "../config/epp-flag-options.ts";
import type { EppFlags } from "../config/epp-flags.ts";
import type { ConfigSource } from "../core/events.ts";

/** The config's text, and the flags that change decisions, for `epp` and `check` alike. Rejects for a file that can't be read. */
export async function configSource(flags: EppFlags): Promise<ConfigSource> {
  return {
    text: flags.configFile ? await readConfigFile(flags.configFile) : flags.configText,
    options: configOptionsOf(flags),
  };
}

/** The text of a config file. Rejects when it can't be read or is not UTF-8. */
export async function readConfigFile(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new Error(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error(`Cannot read ${path}: found bytes that are not UTF-8, expected a text in UTF-8`, { cause: error });
  }
}
