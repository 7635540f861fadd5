import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readBlueprint } from "../../src/config/blueprint.ts";
import { ConfigError } from "../../src/config/config-error.ts";

const folder = fileURLToPath(new URL("../../../shared/configs/", import.meta.url));

/** What the stock EPP said to a config (`verdicts.json`). */
interface Verdict {
  readonly starts: boolean;
  readonly needsExperimentalPlugins?: boolean;
  readonly errors?: readonly string[];
}

/** A config that a public repository ships. */
export interface CorpusConfig {
  readonly name: string;
  readonly text: string;
  readonly stock: Verdict;
}

/** Real configs, read in place; undefined, after saying so in one line, when they are not there. */
export function readCorpus(): readonly CorpusConfig[] | undefined {
  if (!existsSync(folder)) {
    console.warn("The real configs of ../shared/configs are not there: nothing is checked with them.");
    return undefined;
  }
  const verdicts = JSON.parse(readFileSync(`${folder}verdicts.json`, "utf8")) as Readonly<Record<string, Verdict>>;
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return names
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const stock = verdicts[name];
      if (!stock) throw new Error(`Cannot read the verdict of ${name}: verdicts.json has none`);
      return { name, text: readFileSync(folder + name, "utf8"), stock };
    });
}

/** What we say to a config: how many older forms its plan has, or the errors, a line each. */
export type OurVerdict = { readonly warnings: number } | { readonly errors: readonly string[] };

export function ourVerdict({ text }: CorpusConfig, options: { readonly strict: boolean }): OurVerdict {
  try {
    const flags = { "allow-experimental-plugins": true, "strict-config": options.strict };
    return { warnings: readBlueprint({ text, options: flags }).warnings.length };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      errors: error.message
        .split("\n")
        .slice(1)
        .map((line) => line.replace(/^config:/, "")),
    };
  }
}
