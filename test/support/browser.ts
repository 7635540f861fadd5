import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { describe, onTestFinished } from "vitest";

/** $CHROMIUM, or Debian's. */
const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/**
 * `describe` for tests that need a real browser. Without one they are skipped, with a line that says so; under CI=true
 * they fail instead.
 */
export function describeWithBrowser(name: string, tests: () => void): void {
  if (!existsSync(CHROMIUM) && process.env["CI"] !== "true") {
    console.log(`skipped, there is no ${CHROMIUM} (apt-get install chromium brings it): ${name}`);
    describe.skip(name, tests);
    return;
  }
  describe(name, tests);
}

/** Starts a browser; it ends with the test. */
export async function startBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  onTestFinished(() => browser.close());
  return browser;
}
