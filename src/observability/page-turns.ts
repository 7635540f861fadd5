import type { Registry } from "prom-client";

const lastTurns = new WeakMap<Registry, Promise<void>>();

/** Waits for a turn of the event loop in which no other family of this page is written: requests go on between them. */
export function turnOn(registry: Registry): Promise<void> {
  const turn = (lastTurns.get(registry) ?? Promise.resolve()).then(
    () => new Promise<void>((resolve) => setImmediate(resolve)),
  );
  lastTurns.set(registry, turn);
  return turn;
}
