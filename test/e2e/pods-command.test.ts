import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";

const main = process.env["WARMPATH_MAIN"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let child: ChildProcess | undefined;
let folder: string | undefined;
afterEach(async () => {
  child?.kill("SIGKILL");
  if (folder) await rm(folder, { recursive: true });
  folder = undefined;
});

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly error: string;
}

interface Endpoint {
  readonly name: string;
  readonly address: string;
  readonly port: string;
  readonly labels: Record<string, string>;
}

/** Starts the command; `until` ends when its output has the text. */
function start(...argv: string[]) {
  const own = spawn(process.execPath, [main, "pods", ...argv], { stdio: ["ignore", "pipe", "pipe"] });
  child = own;
  let out = "";
  let error = "";
  own.stdout.setEncoding("utf8").on("data", (part: string) => (out += part));
  own.stderr.setEncoding("utf8").on("data", (part: string) => (error += part));
  const ended = once(own, "close").then(([status]): Ended => ({ status: status as number | null, out, error }));
  const until = async (text: string): Promise<string> => {
    while (!out.includes(text))
      await Promise.race([once(own.stdout, "data"), ended.then(() => Promise.reject(new Error(error)))]);
    return out;
  };
  return { own, ended, until };
}

describe("warmpath pods", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "serves, writes its endpoints, and ends cleanly at %s under load",
    async (signal) => {
      folder = await mkdtemp(join(tmpdir(), "warmpath-"));
      const file = join(folder, "endpoints.yaml");
      const { own, ended, until } = start(
        "--count",
        "2",
        "--base-port",
        "0",
        "--time-scale",
        "0.05",
        "--write-endpoints",
        file,
      );
      await until("2 pods are ready");
      const { endpoints } = parse(await readFile(file, "utf8")) as { endpoints: Record<string, string>[] };
      expect(endpoints.map(({ name, address }) => [name, address])).toEqual([
        ["pod-0", "127.0.0.1"],
        ["pod-1", "127.0.0.1"],
      ]);
      for (const { address, port, name } of endpoints) {
        const answer = await fetch(`http://${address}:${port}/v1/completions`, {
          method: "POST",
          body: JSON.stringify({ model: "Qwen3-0.6B", prompt: "Once upon a time", max_tokens: 5 }),
        });
        expect([answer.status, answer.headers.get("x-served-by")]).toEqual([200, name]);
      }
      const [{ address, port }] = endpoints;
      const streamed = await fetch(`http://${address}:${port}/v1/completions`, {
        method: "POST",
        body: JSON.stringify({ prompt: "Long", max_tokens: 20_000, ignore_eos: true, stream: true }),
      });
      own.kill(signal);
      await expect(streamed.text()).rejects.toThrow("terminated");
      expect(await ended).toMatchObject({ status: 0, error: "" });
    },
  );

  it("has pods by role that work together from process to process, and outlive each other", async () => {
    folder = await mkdtemp(join(tmpdir(), "warmpath-"));
    const files = ["prefill", "decode"].map((role) => join(folder!, `${role}.yaml`));
    const [prefill, decode] = ["prefill", "decode"].map((role, i) =>
      start(`--${role}`, "1", "--base-port", "0", "--time-scale", "0", "--write-endpoints", files[i]),
    );
    try {
      const pods = await Promise.all(
        [prefill, decode].map(async ({ until }, i) => {
          await until("1 pod is ready");
          return (parse(await readFile(files[i], "utf8")) as { endpoints: [Endpoint] }).endpoints[0];
        }),
      );
      expect(pods.map(({ name, labels }) => [name, labels])).toEqual([
        ["pod-prefill-0", { "llm-d.ai/role": "prefill" }],
        ["pod-decode-0", { "llm-d.ai/role": "decode" }],
      ]);
      const [{ address, port }, { address: decodeAddress, port: decodePort }] = pods;
      const send = async (): Promise<{ choices: { text: string }[]; sim: { fetched_tokens: number } }> => {
        const answer = await fetch(`http://${decodeAddress}:${decodePort}/v1/completions`, {
          method: "POST",
          headers: { "x-prefiller-host-port": `${address}:${port}`, "x-sim-report": "1" },
          body: JSON.stringify({
            prompt: "tide and table ".repeat(20),
            max_tokens: 5,
            cache_salt: String(Math.random()),
          }),
        });
        expect([answer.status, answer.headers.get("x-served-by")]).toEqual([200, "pod-decode-0"]);
        return (await answer.json()) as { choices: { text: string }[]; sim: { fetched_tokens: number } };
      };
      const together = await send();
      expect(together.sim.fetched_tokens).toBeGreaterThan(10);
      prefill.own.kill("SIGKILL");
      await prefill.ended;
      const alone = await send();
      expect(alone.sim.fetched_tokens).toBe(0);
      expect(alone.choices).toEqual(together.choices);
    } finally {
      prefill.own.kill("SIGKILL");
      decode.own.kill("SIGKILL");
    }
  });

  it("lists its presets, and explains itself", async () => {
    expect(await start("--list-presets").ended).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^MODEL +GPU +MS A STEP/),
    });
    expect(await start("--help").ended).toMatchObject({
      status: 0,
      out: expect.stringContaining("warmpath pods --count 4"),
    });
  });

  it("refuses what is wrong with status 2, and a taken port with status 1", async () => {
    const wrong = await start("--cuont", "4").ended;
    expect(wrong).toMatchObject({ status: 2, error: expect.stringContaining("did you mean --count?") });
    const first = start("--base-port", "0");
    const out = await first.until("1 pod is ready");
    const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(out)![1];
    const second = await start("--base-port", port).ended;
    expect(second).toMatchObject({
      status: 1,
      error: expect.stringContaining(`Cannot open port ${port} on 127.0.0.1`),
    });
    first.own.kill("SIGTERM");
    await first.ended;
  });
});
