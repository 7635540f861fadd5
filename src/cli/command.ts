/** One command of `warmpath`: flags to calls, nothing else. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Text of `warmpath NAME --help`: what it is for, options, examples. */
  readonly help: string;
  /** Runs it; the result is the exit status. `argv`: what stands after the name. */
  run(argv: readonly string[]): Promise<number>;
}
