import type { ASTNode } from "@marcbachmann/cel-js";
import { Environment } from "@marcbachmann/cel-js";

/** Most characters of an expression. */
const CHARACTERS_MAX = 4096;
/** Most values, names, operators and calls of an expression. */
const NODES_MAX = 256;
/** Deepest nesting of an expression. */
const DEPTH_MAX = 32;
/** Most loops (`all`, `exists`, `exists_one`, `map`, `filter`) within one another. */
const LOOPS_DEEP_MAX = 2;

const LOOPS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "map", "filter"]);
const CONVERSIONS = ["int", "uint", "double", "string", "bool", "type", "dyn"];
const FUNCTIONS = new Set(["has", "size", "contains", "startsWith", "endsWith", ...LOOPS, ...CONVERSIONS]);

/** A whole CEL expression, or what is wrong with it in a few words. */
export type CompiledCel =
  | { readonly ok: true; readonly evaluate: (usage: Readonly<Record<string, unknown>>) => unknown }
  | { readonly ok: false; readonly problem: string };

let made: Environment | undefined;

/** One variable, `usage`, as in the stock EPP: a map whose numbers are doubles. */
const environment = (): Environment =>
  (made ??= new Environment({
    limits: {
      maxAstNodes: NODES_MAX,
      maxDepth: DEPTH_MAX,
      maxListElements: NODES_MAX,
      maxMapEntries: NODES_MAX,
      maxCallArguments: 8,
    },
  }).registerVariable("usage", "map<string, dyn>"));

/**
 * Compiles a CEL expression over `usage`, types checked. What it may call is a list of its own: no regular expressions
 * (those of this runtime can take for ever), no texts as times, and loops two deep at most. So an evaluation ends, after
 * less than a million small steps. `evaluate` throws what goes wrong in it: a name that is not there, texts and numbers
 * mixed, whole numbers and doubles mixed (CEL converts neither).
 */
export function compileCel(text: string): CompiledCel {
  if (text.length > CHARACTERS_MAX) return { ok: false, problem: `more than ${CHARACTERS_MAX} characters` };
  try {
    const parsed = environment().parse(text);
    const forbidden = forbiddenIn(parsed.ast, 0);
    if (forbidden) return { ok: false, problem: forbidden };
    const { valid, error } = parsed.check();
    if (!valid) return { ok: false, problem: firstLine(error) };
    return { ok: true, evaluate: (usage) => parsed({ usage }) };
  } catch (error) {
    return { ok: false, problem: firstLine(error) };
  }
}

/** What the expression may not do; undefined when all of it is allowed. */
function forbiddenIn(node: ASTNode, loops: number): string | undefined {
  let deeper = loops;
  if (node.op === "call" || node.op === "rcall") {
    const name = node.args[0];
    if (!FUNCTIONS.has(name)) return `no function "${name}" here`;
    if (node.op === "rcall" && LOOPS.has(name)) deeper++;
    if (deeper > LOOPS_DEEP_MAX) return `loops more than ${LOOPS_DEEP_MAX} deep`;
  }
  for (const child of nodesIn(node.args)) {
    const forbidden = forbiddenIn(child, deeper);
    if (forbidden) return forbidden;
  }
  return undefined;
}

/** The nodes among an operator's operands, at any depth of lists. */
function nodesIn(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn);
  return typeof args === "object" && args !== null && "op" in args ? [args as ASTNode] : [];
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0].trim();
