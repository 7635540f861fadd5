import { Gauge, type Registry } from "prom-client";

/** Puts a gauge on the page that is set anew by `collect` each time the page is read. */
export function collectedGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (gauge: Gauge) => void,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect: () => collect(gauge),
  });
}
