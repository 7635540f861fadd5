import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import { describe, expect, it, onTestFinished } from "vitest";
import { startCommand, type RunningCommand } from "../support/command.ts";

interface Served {
  readonly gateway: RunningCommand;
  readonly url: string;
  readonly pods: RunningCommand;
  readonly endpointsFile: string;
}

/** Simulated pods and a gateway, each a process of its own. */
async function serve(timeScale: string, ...flags: string[]): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), "gateway-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const endpointsFile = join(folder, "endpoints.yaml");
  const podFlags = ["--base-port", "0", "--time-scale", timeScale, "--write-endpoints", endpointsFile];
  const pods = startCommand(["pods", "--count", "3", ...podFlags]);
  await pods.line("pods are ready");
  const gateway = startCommand(["gateway", "--endpoints", endpointsFile, "--port", "0", ...flags]);
  const { port } = JSON.parse(await gateway.line('"serving"')) as { port: number };
  return { gateway, url: `http://127.0.0.1:${port}`, pods, endpointsFile };
}

const body = (content: string, more: object = {}): string =>
  JSON.stringify({ model: "Qwen3-0.6B", messages: [{ role: "user", content }], max_tokens: 8, ...more });
const chat = (url: string, text: string, dispatcher: Agent) =>
  request(`${url}/v1/chat/completions`, { method: "POST", body: text, dispatcher });

describe("warmpath gateway as a process", () => {
  it("serves bodies of any size, keeps a conversation on its pod, and ends with status 0 at SIGTERM", async () => {
    const { gateway, url } = await serve("0");
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const podsOf = new Set<string>();
    for (const bytes of [1, 62_000, 62_001, 150_000]) {
      const answer = await chat(url, body("x".repeat(bytes)), agent);
      expect(answer.statusCode).toBe(200);
      expect(await answer.body.json()).toMatchObject({ usage: { completion_tokens: 8 } });
    }
    for (let turn = 1; turn <= 6; turn++) {
      const answer = await chat(url, body("Once upon a time. ".repeat(200) + "And then? ".repeat(turn)), agent);
      podsOf.add(String(answer.headers["x-served-by"]));
      await answer.body.dump();
    }
    expect(podsOf.size).toBe(1);
    const models = await request(`${url}/v1/models`, { dispatcher: agent });
    expect(await models.body.json()).toMatchObject({ data: [{ id: "Qwen3-0.6B" }] });
    gateway.child.kill("SIGTERM");
    expect(await gateway.exit).toBe(0);
  });

  it("loses no accepted request at SIGTERM under load, streams included", async () => {
    const { gateway, url } = await serve("0.02");
    const agent = new Agent({ connections: 16 });
    onTestFinished(() => agent.destroy());
    let whole = 0;
    let refused = 0;
    let signalled = false;
    const worker = async (): Promise<void> => {
      for (let i = 0; refused < 16; i++) {
        const stream = i % 2 === 0;
        try {
          const answer = await chat(url, body(`question ${i}`, { max_tokens: 40, stream }), agent);
          const said = await answer.body.text();
          expect([answer.statusCode, stream ? said.endsWith("data: [DONE]\n\n") : said.endsWith("}")]).toEqual([
            200,
            true,
          ]);
          if (++whole === 48 && !signalled) signalled = gateway.child.kill("SIGTERM");
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toBe("ECONNREFUSED");
          refused++;
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    expect(await gateway.exit).toBe(0);
    expect(whole).toBeGreaterThanOrEqual(48);
    expect(gateway.stderr.filter((line) => line.includes('"warn"'))).toEqual([]);
  });

  it("breaks off what does not end within --drain-timeout, says how many, and ends with status 1", async () => {
    const { gateway, url } = await serve("1", "--drain-timeout", "100ms");
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const answer = await chat(url, body("slow", { max_tokens: 2000, stream: true, ignore_eos: true }), agent);
    const said = answer.body.text();
    gateway.child.kill("SIGTERM");
    await expect(said).rejects.toThrow();
    expect(await gateway.exit).toBe(1);
    await gateway.line("1 requests were broken off");
  });

  it("goes on while the endpoints file is missing, broken or emptied, and follows it again after that", async () => {
    const { gateway, url, endpointsFile } = await serve("0");
    const agent = new Agent();
    onTestFinished(() => agent.destroy());
    const good = await readFile(endpointsFile, "utf8");
    const status = async (): Promise<number> => {
      const answer = await chat(url, body("hello"), agent);
      await answer.body.dump();
      return answer.statusCode;
    };
    expect(await status()).toBe(200);
    await rm(endpointsFile);
    await gateway.line("no such file");
    expect(await status()).toBe(200);
    await writeFile(endpointsFile, "endpoints: [{name: }");
    await gateway.line("endpoints known stay");
    expect(await status()).toBe(200);
    await writeFile(endpointsFile, "endpoints: []");
    while ((await status()) !== 503) await delay(20);
    await writeFile(endpointsFile, good);
    while ((await status()) !== 200) await delay(20);
  });

  it("serves on when a pod dies under load: every request is answered by another one", async () => {
    const { gateway, url, endpointsFile } = await serve("0");
    const agent = new Agent({ connections: 8 });
    onTestFinished(() => agent.destroy());
    const [port] = /port: "(\d+)"/.exec(await readFile(endpointsFile, "utf8"))!.slice(1);
    let served = 0;
    const worker = async (id: number): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        const answer = await chat(url, body(`${id} ${i} ${"word ".repeat(100)}`), agent);
        expect([answer.statusCode, await answer.body.text()]).toEqual([200, expect.stringMatching(/\}$/)]);
        if (++served === 60) {
          await request(`http://127.0.0.1:${port}/sim/refuse`, { method: "POST", body: '{"forMs": 300000}' });
        }
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, id) => worker(id)));
    expect(served).toBe(320);
    expect(gateway.stderr.some((line) => line.includes('"kind":"dead"'))).toBe(true);
  });
});
