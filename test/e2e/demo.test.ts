import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { DemoResult } from "../../src/server/demo/demo-types.ts";
import { describeWithBrowser, startBrowser } from "../support/browser.ts";
import { startCommand, type RunningCommand } from "../support/command.ts";

const FLEETS = ["random", "warmpath"] as const;
/** Faster than the default, for tests that are not about its figures. */
const FAST = "0.03";

/** The command's last line of standard output. */
const resultOf = ({ stdout }: RunningCommand): DemoResult => JSON.parse(stdout.at(-1)!) as DemoResult;

/** What every run must show, whatever the clock: the bands are those of the workload, not of one seed. */
function expectHonest(result: DemoResult): void {
  const { random, warmpath, requests, pickerMs } = result;
  expect(requests).toBe(110);
  expect([random.failed, warmpath.failed]).toEqual([0, 0]);
  expect(random.hitRate).toBeGreaterThan(0.53);
  expect(random.hitRate).toBeLessThan(0.67);
  expect(warmpath.hitRate).toBeGreaterThanOrEqual(0.84);
  expect(warmpath.hitRate).toBeLessThan(0.94);
  expect(warmpath.ttftMs.p95).toBeLessThan(random.ttftMs.p95);
  // The same prompts and answers on both sides.
  expect(warmpath.outputTokens).toBe(random.outputTokens);
  for (const fleet of FLEETS) {
    const { ttftMs, pods, pickerCpuMs } = result[fleet];
    expect(pods).toHaveLength(4);
    expect(pods.reduce((sum, pod) => sum + pod.requests, 0)).toBe(110);
    expect(ttftMs.p50).toBeLessThanOrEqual(ttftMs.p95);
    expect(ttftMs.p95).toBeLessThanOrEqual(ttftMs.p99);
    // An engine step of this model takes 6.3 ms at least.
    expect(ttftMs.p50).toBeGreaterThan(6.3);
    expect(pickerMs[fleet].p50).toBeGreaterThan(0);
    expect(pickerCpuMs).toBeGreaterThan(0);
  }
}

describe("npm run demo -- --once --json", () => {
  it(
    "prints, as it is, one JSON object as its last line, within 90 s, and ends with status 0",
    { timeout: 90_000 },
    async () => {
      const demo = startCommand(["demo", "--once", "--json"]);
      expect(await demo.exit).toBe(0);
      const result = resultOf(demo);
      expect(demo.stdout).toHaveLength(1);
      expectHonest(result);
      expect(result).toMatchObject({ seed: 1, timeScale: 0.125, model: "Qwen3-0.6B", gpu: "L4" });
      // Both fleets end within 45 s, as the page says.
      expect(result.wallSeconds).toBeLessThan(45);
      console.log(`via ${result.via}: ${demo.stdout[0]}`);
    },
  );

  it("shows the same with the built-in gateway, another seed and a faster clock; nothing runs on afterwards", async () => {
    const demo = startCommand(["demo", "--once", "--json", "--via", "gateway", "--seed", "7", "--time-scale", FAST]);
    const pids = await partsOf(demo);
    expect(pids).toHaveLength(3);
    expect(await demo.exit).toBe(0);
    expectHonest(resultOf(demo));
    expect(resultOf(demo)).toMatchObject({ seed: 7, via: "gateway", timeScale: 0.03 });
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("ends all its parts at Ctrl-C in the middle of the run", async () => {
    const demo = startCommand(["demo", "--via", "gateway", "--no-open", "--port", "0"]);
    const pids = await partsOf(demo);
    demo.child.kill("SIGINT");
    expect(await demo.exit).toBe(1);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("says what is wrong with its arguments", async () => {
    const wrong = [
      ["--via", "carrier-pigeon"],
      ["--time-scale", "0"],
      ["--seed", "-1"],
      ["--port", "70000"],
      ["--onse"],
      ["--part"],
    ];
    for (const args of wrong) {
      const demo = startCommand(["demo", ...args]);
      expect(await demo.exit).toBe(2);
      expect(demo.stderr.join("\n")).toMatch(/^Cannot run .*See warmpath demo --help$/);
    }
  });
});

describeWithBrowser("the demo's page", () => {
  it("runs live and ends with the numbers of the JSON", async () => {
    const demo = startCommand(["demo", "--json", "--no-open", "--port", "0", "--via", "gateway", "--time-scale", FAST]);
    const url = /http:\S+/.exec(await demo.line("Watch it live"))![0];
    const browser = await startBrowser();
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on(
      "request",
      (request) => request.url().startsWith(url) || request.url().startsWith("data:") || errors.push(request.url()),
    );
    await page.goto(url);
    // Opened before the run or in the middle of it: decisions come in, the line grows.
    await page.locator('[data-fleet="warmpath"] .decisions li').nth(2).waitFor();
    await page.getByRole("progressbar", { name: "warmpath" }).waitFor();
    await demo.line("The page stays");
    await page.getByText(/^Done in \d+ s\. warmpath's hit rate is [\d.]+ points higher/).waitFor();
    await expectNumbers(page, resultOf(demo));
    // A page that opens after the end shows the same.
    const late = await browser.newPage({ viewport: { width: 400, height: 800 } });
    await late.goto(url);
    await late.getByText(/^Done in/).waitFor();
    await expectNumbers(late, resultOf(demo));
    await expectFits(late, 400);
    await expectFits(page, 1280);
    expect(errors).toEqual([]);
    expect(await (await fetch(`${url}result.json`)).json()).toEqual(resultOf(demo));
    demo.child.kill("SIGINT");
    expect(await demo.exit).toBe(0);
  });

  it("has names for what it shows, in light and dark, and stands still when motion is not wanted", async () => {
    const demo = startCommand(["demo", "--json", "--no-open", "--port", "0", "--via", "gateway", "--time-scale", FAST]);
    const url = /http:\S+/.exec(await demo.line("Watch it live"))![0];
    const browser = await startBrowser();
    const page = await browser.newPage({ colorScheme: "dark", reducedMotion: "reduce" });
    await page.goto(url);
    await demo.line("The page stays");
    await page.getByText(/^Done in/).waitFor();
    for (const name of ["Hit rate over time", "Time to first token", "Pods under random", "Decisions of warmpath"]) {
      await page.getByRole("heading", { name }).waitFor();
    }
    await page.getByRole("img", { name: /Hit rate over time: now random [\d.]+ %, warmpath [\d.]+ %/ }).waitFor();
    await page.getByRole("table").waitFor();
    expect(await page.getByRole("status").count()).toBe(1);
    const background = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const dark = await background();
    const theme = page.getByRole("button", { name: /^Colours/ });
    await theme.click();
    expect(await theme.getAttribute("aria-label")).toBe("Colours: light. Change");
    expect(await background()).not.toBe(dark);
    await theme.click();
    expect(await background()).toBe(dark);
    const moving = await page.evaluate<number>(`
      [...document.querySelectorAll(".bar, .stack i, .decisions > li")].filter((element) => {
        const { animationName, transitionDuration } = getComputedStyle(element);
        return animationName !== "none" || transitionDuration !== "0s";
      }).length
    `);
    expect(moving).toBe(0);
    demo.child.kill("SIGINT");
    await demo.exit;
  });
});

/** Process ids of the pods and the two pickers, once the run has begun. */
async function partsOf(demo: RunningCommand): Promise<number[]> {
  await demo.line("Watch it live");
  const { pid } = demo.child;
  for (;;) {
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ");
    if (children.length === 3) return children.map(Number);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;

async function expectNumbers(page: Page, result: DemoResult): Promise<void> {
  for (const fleet of FLEETS) {
    const { hitRate, ttftMs, pods } = result[fleet];
    const part = (name: string) => page.locator(`[data-fleet="${fleet}"] [data-part="${name}"]`);
    expect(await part("hit-rate").textContent()).toBe(percent(hitRate));
    for (const p of ["p50", "p95", "p99"] as const) expect(await part(p).textContent()).toBe(ms(ttftMs[p]));
    expect(await part("picker").textContent()).toBe(`+${ms(result.pickerMs[fleet].p50)} real`);
    expect(await part("count").textContent()).toBe("110 of 110 requests");
    expect(await part("pods").locator(".rate").allTextContents()).toEqual(pods.map((pod) => percent(pod.hitRate)));
    expect(await part("pods").locator(".kv-text").allTextContents()).toEqual(
      pods.map((pod) => expect.stringContaining(`${pod.requests} served`) as string),
    );
    const cells = await page.locator(`#ttft tr[data-fleet="${fleet}"] .ms`).allTextContents();
    expect(cells).toEqual([ms(ttftMs.p50), ms(ttftMs.p95), ms(ttftMs.p99)]);
    // The last decision of a side marks the pod that it names.
    const [last] = await part("decisions").locator("li").all();
    const named = await last.locator(".what b").textContent();
    expect(await last.locator(".candidate.won .score").first().textContent()).toContain(named!.replace("→ ", ""));
  }
}

/** Nothing is wider than the window. */
async function expectFits(page: Page, width: number): Promise<void> {
  expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
}
