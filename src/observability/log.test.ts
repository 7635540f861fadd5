import { describe, expect, it } from "vitest";
import { createLog } from "./log.ts";

/** What a logger of the verbosity writes. */
function linesOf(verbosity: number, say: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  say(createLog(verbosity, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) }));
  return lines;
}

describe("createLog", () => {
  it("writes zap's keys: level by name, ts in seconds, logger, msg and the fields beside them", () => {
    const before = Date.now() / 1000;
    const [line] = linesOf(2, (log) => log.info({ "x-request-id": "r" }, "EPP received request"));
    expect(line).toEqual({
      level: "info",
      ts: expect.any(Number),
      logger: "warmpath",
      "x-request-id": "r",
      msg: "EPP received request",
    });
    expect(line["ts"]).toBeGreaterThanOrEqual(Math.floor(before));
    expect(line["ts"]).toBeLessThanOrEqual(Date.now() / 1000 + 1);
  });

  it("writes an error as its text and its stack", () => {
    const [error, other] = linesOf(2, (log) => {
      log.error({ err: new RangeError("too far") }, "a stream failed");
      log.error({ err: "no error" }, "a stream failed");
    });
    expect(error).toMatchObject({ level: "error", error: "too far", msg: "a stream failed" });
    expect(error["stacktrace"]).toMatch(/^RangeError: too far\n\s+at /);
    expect(other).toMatchObject({ error: "no error" });
    expect(other).not.toHaveProperty("stacktrace");
    expect(error).not.toHaveProperty("err");
  });

  it.each([
    [0, ["info", "warn"]],
    [3, ["info", "warn"]],
    [4, ["debug", "info", "warn"]],
    [5, ["trace", "debug", "info", "warn"]],
    [10, ["trace", "debug", "info", "warn"]],
  ])("of verbosity %i writes %j", (verbosity, levels) => {
    const lines = linesOf(verbosity, (log) => {
      for (const level of ["trace", "debug", "info", "warn"] as const) log[level]("x");
    });
    expect(lines.map(({ level }) => level)).toEqual(levels);
  });
});
