import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The built command line; `npm run build` makes it. $WARMPATH_MAIN names another build. */
const MAIN = process.env["WARMPATH_MAIN"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** A `warmpath` process with what it said. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** The first line, of either stream, that holds the text; rejects when the process ends before. */
  line(text: string): Promise<string>;
  /** Exit status once it has ended; the signal's name when one ended it. */
  readonly exit: Promise<number | string>;
}

/** Starts `warmpath ARGS` of a build. It is killed when the test ends. */
export function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  main = MAIN,
): RunningCommand {
  if (!existsSync(main)) throw new Error(`Cannot start ${main}: no such file; npm run build makes it`);
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const waiting = new Set<(line: string) => void>();
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  for (const name of ["stdout", "stderr"] as const) {
    createInterface({ input: child[name] }).on("line", (line) => {
      lines[name].push(line);
      for (const look of waiting) look(line);
    });
  }
  const exit = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return {
    child,
    ...lines,
    exit,
    line: (text) =>
      new Promise((resolve, reject) => {
        const look = (line: string): void => {
          if (!line.includes(text)) return;
          waiting.delete(look);
          resolve(line);
        };
        for (const line of [...lines.stdout, ...lines.stderr]) look(line);
        waiting.add(look);
        void exit.then((status) =>
          reject(new Error(`Cannot find ${JSON.stringify(text)}: ended with ${status}\n${lines.stderr.join("\n")}`)),
        );
      }),
  };
}
