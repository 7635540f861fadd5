import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { DecisionView } from "../../observability/decision-view.ts";

/** What a part is told first of all. */
export type PartSetup =
  | {
      readonly part: "pods";
      readonly fleets: readonly string[];
      readonly podsPerFleet: number;
      readonly timeScale: number;
      readonly seed: number;
    }
  | {
      readonly part: "picker";
      /** EndpointPickerConfig text; "" for the built-in default. */
      readonly config: string;
      readonly endpointsFile: string;
      readonly seed: number;
      /** `gateway`: HTTP for clients. `ext-proc`: gRPC for Envoy. */
      readonly serve: "gateway" | "ext-proc";
      readonly refreshMetricsIntervalMs: number;
    };

/** What a part says. */
export type PartMessage =
  | { readonly type: "pods"; readonly fleets: readonly (readonly { readonly name: string; readonly port: number }[])[] }
  | { readonly type: "picker"; readonly port: number }
  | { readonly type: "decision"; readonly decision: DecisionView }
  | { readonly type: "cpu"; readonly cpuMs: number }
  | { readonly type: "failed"; readonly message: string };
/** What it is asked later. */
export type PartRequest = { readonly type: "cpu" } | { readonly type: "stop" };

type Said<T extends PartMessage["type"]> = Extract<PartMessage, { readonly type: T }>;

const STOP_MS_MAX = 5000;

/**
 * A part of the demo in a process of its own: the pods in one, each picker in one. So the picker's CPU time can be told
 * from all else, and the fleets do not share an event loop with their clients. A part ends with its parent.
 */
export class DemoPart {
  readonly #child: ChildProcess;
  readonly #observers = new Set<(message: PartMessage) => void>();
  #over: string | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: PartMessage) => {
      for (const observer of this.#observers) observer(message);
    });
    child.once("exit", (code, signal) => {
      this.#over = `its process ended (${signal ?? `exit status ${code}`})`;
      for (const observer of this.#observers) observer({ type: "failed", message: this.#over });
    });
  }

  /** Starts it. Its errors go to this process's standard error. */
  static start(setup: PartSetup): DemoPart {
    // The command line of the project itself, which hands over to `runDemoPart`.
    const main = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
    const child = fork(main, ["demo", "--part"], { stdio: ["ignore", 2, 2, "ipc"], execArgv: [] });
    child.send(setup);
    return new DemoPart(child);
  }

  observe(observer: (message: PartMessage) => void): void {
    this.#observers.add(observer);
  }

  /** The next message of a kind. Rejects when the part fails. */
  said<T extends PartMessage["type"]>(type: T): Promise<Said<T>> {
    return new Promise((resolve, reject) => {
      const observer = (message: PartMessage): void => {
        if (message.type !== type && message.type !== "failed") return;
        this.#observers.delete(observer);
        if (message.type === type) resolve(message as Said<T>);
        else reject(new Error(`Cannot run a part of the demo: ${(message as Said<"failed">).message}`));
      };
      if (this.#over === undefined) this.#observers.add(observer);
      else reject(new Error(`Cannot run a part of the demo: ${this.#over}`));
    });
  }

  /** CPU time of its process so far, user and system, in milliseconds. */
  async cpuMs(): Promise<number> {
    const answer = this.said("cpu");
    this.#child.send({ type: "cpu" } satisfies PartRequest);
    return (await answer).cpuMs;
  }

  /** Asks it to stop, and ends it when it does not. */
  async stop(): Promise<void> {
    if (this.#over !== undefined || !this.#child.connected) return;
    const exit = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    this.#child.send({ type: "stop" } satisfies PartRequest);
    await exit;
    clearTimeout(timer);
  }
}
