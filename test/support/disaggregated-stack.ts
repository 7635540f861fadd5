import { expect } from "vitest";
import type { Pod } from "../../src/simulator/pods/pod.ts";
import type { PodsOptions } from "../../src/simulator/pods/start-pods.ts";
import { startStack, type Stack, type StackOptions } from "./stack.ts";

export const MODEL = "Qwen3-0.6B";

interface Sidecar {
  readonly disaggregated: number;
  readonly degraded: number;
  readonly failed: number;
  readonly decodeOnly: number;
  readonly encodedItems: number;
}
interface Transfers {
  readonly fetches: { readonly fetched: number; readonly failed: number };
  readonly holds: { readonly released: number; readonly expired: number };
}

/** Two prefill and two decode pods behind picker and Envoy. */
export class Disaggregated {
  readonly stack: Stack;

  private constructor(stack: Stack) {
    this.stack = stack;
  }

  static async start(config: string, pods: PodsOptions = {}, more: StackOptions = {}): Promise<Disaggregated> {
    const { count: _, ...own } = { count: 0, ...pods };
    const roles = { prefill: 2, decode: 2 };
    return new Disaggregated(await startStack({ ...more, config, pods: { count: 0, roles, ...own } }));
  }

  podsOf(role: string): readonly Pod[] {
    return this.stack.pods.filter((pod) => pod.role === role);
  }

  pod(name: string): Pod {
    return this.stack.pods.find((pod) => pod.name === name)!;
  }

  async send(body: object, headers: Record<string, string> = {}) {
    const chat = "messages" in body;
    const response = await fetch(`${this.stack.url}/v1/${chat ? "chat/completions" : "completions"}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ model: MODEL, max_tokens: 30, ignore_eos: true, ...body }),
    });
    const text = await response.text();
    return { status: response.status, text, by: response.headers.get("x-served-by") };
  }

  /** Requests by the picker's decision. */
  decisions(decision: string, family = "llm_d_epp_disagg_decision_total"): Promise<number> {
    const plugin = family.includes("_pd_") ? "pd-profile-handler" : "disagg-profile-handler";
    return this.stack.metric(
      `${family}{plugin_name="${plugin}",plugin_type="${plugin}",model_name="${MODEL}",decision_type="${decision}"}`,
    );
  }

  async sidecars(): Promise<Sidecar> {
    const all = await Promise.all(
      this.podsOf("decode").map(async (pod) => (await (await fetch(`${pod.url}/sim/sidecar`)).json()) as Sidecar),
    );
    const sum = (key: keyof Sidecar): number => all.reduce((total, counts) => total + counts[key], 0);
    return {
      disaggregated: sum("disaggregated"),
      degraded: sum("degraded"),
      failed: sum("failed"),
      decodeOnly: sum("decodeOnly"),
      encodedItems: sum("encodedItems"),
    };
  }

  async transfers(pod: Pod): Promise<Transfers> {
    return ((await (await fetch(`${pod.url}/sim/state`)).json()) as { kv: Transfers }).kv;
  }

  /** Prompt tokens that the pods of a role computed themselves. */
  computed(role: string): number {
    return this.podsOf(role)
      .map((pod) => pod.signals())
      .reduce((sum, s) => sum + s.promptTokens - s.cachedPromptTokens - s.fetchedPromptTokens, 0);
  }

  /** Nothing is held, waits or runs anywhere. */
  async untilQuiet(): Promise<void> {
    await this.stack.untilQuiet();
    for (const pod of this.stack.pods) {
      await expect.poll(() => pod.signals().usableBlocks - pod.signals().freeBlocks, { timeout: 5000 }).toBe(0);
    }
  }
}
