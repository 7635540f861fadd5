import type { ConfigNode, ConfigPath, Place } from "./config-node.ts";
import { childOf, describeNode, pathText, placeOf } from "./config-node.ts";
import { didYouMean } from "./did-you-mean.ts";

/** One thing that is wrong, or old, in a config. */
export interface ConfigProblem {
  readonly place: Place;
  /** `plugins[0].type`; "" for the whole document. */
  readonly path: string;
  /** `found X, expected Y` */
  readonly text: string;
}

/** All that is wrong with a config, in the order of the text. The message has one line a problem: `file:line:column: path: found X, expected Y`. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, found: readonly ConfigProblem[]) {
    const problems = found.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
    const count = problems.length === 1 ? "1 error" : `${problems.length} errors`;
    const lines = problems.map((problem) => problemLine(file, problem));
    super(`Cannot use ${file}: ${count}\n${lines.join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** `file:line:column: path: text` */
export function problemLine(file: string, { place, path, text }: ConfigProblem): string {
  const where = `${file}:${place.line}:${place.column}:`;
  return path === "" ? `${where} ${text}` : `${where} ${path}: ${text}`;
}

/** Most problems that are told; a config with more is told so. */
const PROBLEMS_MAX = 100;

/** Gathers what is wrong, so that all of it can be told at once. */
export class ProblemList {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: ConfigProblem[] = [];
  readonly #strict: boolean;
  #left = PROBLEMS_MAX;

  /** `strict`: what the recorded stock release refuses is a problem, also where its meaning is known. */
  constructor(strict = false) {
    this.#strict = strict;
  }

  /** Adds a problem at a place. */
  at(place: Place, path: ConfigPath, text: string): void {
    if (this.#left === 0) return;
    this.#left--;
    const more = this.#left === 0 ? " (further errors are not told)" : "";
    this.problems.push({ place, path: pathText(path), text: text + more });
  }

  /** Adds a problem with the part of a document under a path: found what stands there. */
  found(root: ConfigNode, path: ConfigPath, expected: string): void {
    let node: ConfigNode | undefined = root;
    for (const step of path) node = childOf(node, step);
    this.at(placeOf(root, path), path, `found ${describeNode(node)}, expected ${expected}`);
  }

  /** A form that the recorded stock release refuses and that is understood here: a warning, or a problem when strict. */
  old(place: Place, path: ConfigPath, text: string): void {
    if (this.#strict) this.at(place, path, `found ${text}; --strict-config refuses it, as the stock EPP does`);
    else this.warn(place, path, text);
  }

  warn(place: Place, path: ConfigPath, text: string): void {
    if (this.warnings.length < PROBLEMS_MAX) this.warnings.push({ place, path: pathText(path), text });
  }
}

/** `; did you mean "x"?`, or nothing when no known name is near. */
export function hint(typed: string, known: Iterable<string>): string {
  const meant = didYouMean(typed, known);
  return meant === undefined ? "" : `; did you mean "${meant}"?`;
}
