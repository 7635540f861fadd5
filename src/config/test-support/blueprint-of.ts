import type { Blueprint } from "../blueprint.ts";
import { readBlueprint } from "../blueprint.ts";
import { ConfigError } from "../config-error.ts";

type Options = Readonly<Record<string, string | boolean>>;

export const plan = (text: string, options: Options = {}): Blueprint => readBlueprint({ text, options });

/** The error lines of a config, without the first. */
export function errors(text: string, options: Options = { "config-file": "c.yaml" }): string[] {
  try {
    readBlueprint({ text, options });
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

export const names = (entries: readonly { readonly name: string }[]) => entries.map(({ name }) => name);
