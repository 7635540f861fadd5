import { describe, expect, it } from "vitest";
import { createMultiTurnWorkload, PLAYBOOK_DOCUMENT_BYTES, type Turn } from "./multi-turn.ts";

/** Takes and answers one turn after the other. */
const playAlone = (seed: number): Turn[] => {
  const workload = createMultiTurnWorkload({ seed });
  const turns: Turn[] = [];
  for (let turn = workload.take(); turn; turn = workload.take()) {
    turns.push(turn);
    workload.complete(turn, `answer to ${turn.id}`);
  }
  expect(workload.done()).toBe(true);
  return turns;
};

describe("the multi-turn workload", () => {
  it("is 110 requests of 11 conversations, in the order of the queue", () => {
    const turns = playAlone(1);
    expect(turns).toHaveLength(110);
    expect(turns.map((t) => t.conversation)).toEqual(Array.from({ length: 110 }, (_, i) => i % 11));
    expect(turns.every((t, i) => t.turn === Math.floor(i / 11) + 1 && t.outputTokensMax === 500)).toBe(true);
    expect(new Set(turns.map((t) => t.id)).size).toBe(110);
  });

  it("sends the whole history: the earlier messages, the answers, and a new question", () => {
    const turns = playAlone(1).filter((t) => t.conversation === 3);
    for (const [i, turn] of turns.entries()) {
      expect(turn.messages).toHaveLength(2 * i + 1);
      if (i === 0) continue;
      expect(turn.messages.slice(0, -2)).toEqual(turns[i - 1].messages);
      expect(turn.messages.at(-2)).toEqual({ role: "assistant", content: `answer to c3-t${i}` });
      expect(turn.messages.at(-1)!.content).toMatch(/^[A-Z][a-z ]+\?$/);
    }
  });

  it("starts each conversation with a document of its own of the given bytes, then a question", () => {
    const documents = playAlone(1)
      .slice(0, 11)
      .map((t) => t.messages[0].content.split("\n\n"));
    const bytes = documents.map((parts) => parts.slice(0, -1).join("\n\n").length);
    // The text may itself end in a newline before the empty line.
    for (const [i, length] of bytes.entries()) {
      expect(PLAYBOOK_DOCUMENT_BYTES[i] - length).toBeGreaterThanOrEqual(0);
      expect(PLAYBOOK_DOCUMENT_BYTES[i] - length).toBeLessThanOrEqual(2);
    }
    expect(new Set(documents.map((parts) => parts[0].slice(0, 40))).size).toBe(11);
  });

  it("thinks between half a second and two", () => {
    const thinks = playAlone(1).map((t) => t.thinkUs);
    expect(Math.min(...thinks)).toBeGreaterThanOrEqual(500_000);
    expect(Math.max(...thinks)).toBeLessThanOrEqual(2_000_000);
    expect(thinks.reduce((a, b) => a + b, 0) / thinks.length / 1_250_000).toBeCloseTo(1, 1);
  });

  it("is the same for the same seed, whatever the order of turns, and another for another seed", () => {
    const workload = createMultiTurnWorkload({ seed: 1 });
    const together = Array.from({ length: 11 }, () => workload.take()!);
    for (const turn of [...together].reverse()) workload.complete(turn, `answer to ${turn.id}`);
    const next = workload.take()!;
    const alone = playAlone(1);
    expect(together).toEqual(alone.slice(0, 11));
    expect(next).toEqual(alone.find((t) => t.id === next.id));
    expect(next.conversation).toBe(10);
    expect(playAlone(2)[0].messages).not.toEqual(alone[0].messages);
  });

  it("has no turn to give while others hold all conversations, and is not done before the last answer", () => {
    const workload = createMultiTurnWorkload({ seed: 1, documentBytes: [100], turns: 2 });
    const first = workload.take()!;
    expect([workload.take(), workload.done()]).toEqual([undefined, false]);
    workload.complete(first, "yes");
    const second = workload.take()!;
    expect([workload.take(), workload.done()]).toEqual([undefined, false]);
    workload.complete(second, "yes");
    expect([workload.take(), workload.done()]).toEqual([undefined, true]);
    expect(() => workload.complete(second, "again")).toThrow("Cannot complete turn c0-t2: it is not under way");
  });

  it("sends its warm-ups first, each with a prompt of its own", () => {
    const workload = createMultiTurnWorkload({ seed: 1, warmups: 20 });
    const turns = Array.from({ length: 21 }, () => workload.take()!);
    expect(turns.map((t) => t.warmup)).toEqual([...Array<boolean>(20).fill(true), false]);
    expect(new Set(turns.slice(0, 20).map((t) => t.messages[0].content)).size).toBe(20);
    expect(turns[0].outputTokensMax).toBe(50);
  });
});
