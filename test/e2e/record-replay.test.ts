import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { describeWithEnvoy } from "../support/envoy.ts";
import { otherNodes } from "../support/other-node.ts";
import { startStack, type Stack } from "../support/stack.ts";

const MODEL = "Qwen3-0.6B";
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

interface Replayed {
  readonly events: number;
  readonly decisions: number;
  readonly hash: string;
  readonly same: boolean;
}

function replay(node: string, file: string): { status: number | null; result: Replayed | undefined; error: string } {
  const run = spawnSync(node, [main, "replay", file, "--json"], { encoding: "utf8" });
  return {
    status: run.status,
    result: run.stdout ? (JSON.parse(run.stdout) as Replayed) : undefined,
    error: run.stderr,
  };
}

async function send(stack: Stack, prompt: string, signal?: AbortSignal): Promise<number> {
  const response = await fetch(`${stack.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: MODEL, prompt, max_tokens: 30, stream: true }),
    ...(signal && { signal }),
  });
  await response.text();
  return response.status;
}

/** Requests with shared prefixes from six clients, some of them given up half way. */
async function traffic(stack: Stack, from: number): Promise<void> {
  const clients = Array.from({ length: 6 }, async (_, client) => {
    for (let i = from; i < from + 12; i++) {
      const prompt = `${"shared words of one conversation ".repeat(20)} ${client % 3} ${"more ".repeat(i * 20)}`;
      const giveUp = i % 4 === 3 ? AbortSignal.timeout(15) : undefined;
      await send(stack, prompt, giveUp).catch(() => undefined);
    }
  });
  await Promise.all(clients);
}

describeWithEnvoy("a recorded run through a real Envoy", () => {
  it("replays to the same decisions on every Node at hand, and not when an event is missing", async () => {
    const stack = await startStack({
      watchFile: true,
      pods: { count: 4, timeScale: 0.05 },
      flags: (folder) => ["--record-events", join(folder, "run.jsonl")],
    });
    const file = join(stack.folder, "run.jsonl");
    const full = readFileSync(stack.endpointsFile, "utf8");
    await traffic(stack, 0);
    writeFileSync(stack.endpointsFile, full.replace(/- name: pod-3[\s\S]*$/, ""));
    await expect.poll(() => stack.metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 10_000 }).toBe(3);
    await traffic(stack, 12);
    writeFileSync(stack.endpointsFile, full);
    await expect.poll(() => stack.metric('llm_d_epp_ready_endpoints{name="pool"}'), { timeout: 10_000 }).toBe(4);
    await traffic(stack, 24);
    await stack.untilQuiet();
    stack.epp.child.kill("SIGTERM");
    expect(await stack.epp.exit).toBe(0);

    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const count = (type: string) => lines.filter((line) => line.includes(`"type":"${type}"`)).length;
    // A client that gives up at once may not get as far as the picker.
    const arrived = count("requestArrived");
    expect(arrived).toBeGreaterThan(150);
    expect(count("signals")).toBeGreaterThan(30);
    expect(count("endpointRemoved")).toBe(1);
    expect(count("endpointUpserted")).toBe(5);
    expect(lines.some((line) => line.includes('"cause":"client-disconnect"'))).toBe(true);

    const own = replay(process.execPath, file);
    expect(own).toMatchObject({ status: 0, result: { same: true, decisions: arrived } });
    const nodes = otherNodes();
    if (nodes.size === 0)
      console.log("skipped, there is no other Node (scripts/setup-node.sh 24 brings one): replay on Node 24");
    if (process.env["CI"] === "true") expect([...nodes.keys()]).toContain("24");
    for (const path of nodes.values()) expect(replay(path, file)).toMatchObject({ status: 0, result: own.result });

    const middle = lines.findIndex((line, i) => i > lines.length / 3 && line.includes("requestArrived"));
    const without = lines.toSpliced(middle, 1);
    writeFileSync(file, without.join("\n"));
    expect(replay(process.execPath, file).error).toContain("a line is missing");
    // Numbered anew, so that only the decisions can tell.
    const renumbered = without.map((line, i) => line.replace(/^\{"n":\d+/, `{"n":${i - 1}`));
    writeFileSync(file, renumbered.join("\n"));
    const dropped = replay(process.execPath, file);
    expect(dropped.status).toBe(1);
    expect(dropped.result?.hash).not.toBe(own.result?.hash);
  });
});
