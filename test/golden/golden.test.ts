import { afterAll, describe, expect, it } from "vitest";
import type { RewriteMode } from "../../src/core/parser.ts";
import type { Case, Described, Recording } from "./cases.ts";
import { toBytes } from "./cases.ts";
import type { Compared } from "./compare.ts";
import { compareAnswers } from "./compare.ts";
import { FAMILIES, playableOf } from "./families.ts";
import { play } from "./player.ts";

const REWRITES: readonly RewriteMode[] = ["stock", "splice"];

/** Plays one recording; the best comparison over its alternatives. */
function playRecording({ case: testCase, answers, alternatives = [] }: Recording, rewrite: RewriteMode): Compared {
  const { answers: got, bodies, requestsLeft } = play(testCase, rewrite);
  expect(requestsLeft).toBe(0);
  const changed = new Map<string, boolean>();
  const sameAsJson = (want: Described | undefined, body: Described | undefined, where: string) => {
    const stream = where.slice(0, where.indexOf("["));
    if (JSON.stringify(want) === JSON.stringify(body)) return true;
    const isRequest = rewrite === "splice" && isRewritten(testCase, stream, bodies.get(stream));
    changed.set(stream, isRequest);
    return isRequest;
  };
  const results = [answers, ...alternatives].map((known) =>
    compareAnswers(testCase, known, got, {
      sameBody: sameAsJson,
      ignoreContentLength: (stream) => rewrite === "splice" && fittingLength(testCase, stream, got, bodies),
    }),
  );
  return (
    results.find((r) => r.differences.length === 0 && !r.undecided) ??
    results.find((r) => r.differences.length === 0) ??
    results[0]
  );
}

/** Under splice the bytes are the client's, with another model: equal as JSON to what stock writes. */
function isRewritten(testCase: Case, stream: string, body: Buffer | undefined): boolean {
  const sent = Buffer.concat(
    testCase.steps.flatMap((s) =>
      s.send === stream && s.message?.request_body ? [toBytes(s.message.request_body.body)] : [],
    ),
  );
  const target = testCase.steps
    .flatMap((s) => (s.send === stream ? (s.message?.request_headers?.headers ?? []) : []))
    .filter(([key, value]) => /^x-(llm-d|gateway)-model-name-rewrite$/i.test(key) && toBytes(value).length > 0);
  if (!body || target.length === 0 || body.equals(sent)) return false;
  const was = JSON.parse(sent.toString("utf8")) as Record<string, unknown>;
  const is = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
  const models = target.map(([, value]) => toBytes(value).toString("utf8"));
  expect(models).toContain(is["model"]);
  expect({ ...is, model: 0 }).toEqual({ ...was, model: 0 });
  return true;
}

/** True when the spliced body's Content-Length is its length, so that the recorded one need not match. */
function fittingLength(
  testCase: Case,
  stream: string,
  got: ReturnType<typeof play>["answers"],
  bodies: ReadonlyMap<string, Buffer>,
): boolean {
  const body = bodies.get(stream);
  if (!isRewritten(testCase, stream, body)) return false;
  const length = got.streams[stream].messages
    .flatMap((m) => m.set_headers ?? [])
    .find(([key]) => key === "Content-Length")?.[1];
  expect(length).toBe(String(body!.length));
  return true;
}

describe.each(FAMILIES)("recorded answers, family %s", (family) => {
  const { recordings, playable } = playableOf(family);
  let undecided = 0;
  afterAll(() => {
    const left = recordings.length - playable.length;
    console.log(
      `${family}: ${playable.length} cases, ${undecided} undecided after ties${left ? `, ${left} left out (not built yet)` : ""}`,
    );
  });

  it.each(REWRITES)("are ours too, --rewrite=%s", (rewrite) => {
    const differing: unknown[] = [];
    for (const recording of playable) {
      const { differences, undecided: cut } = playRecording(recording, rewrite);
      if (cut) undecided++;
      if (differences.length > 0) differing.push({ id: recording.case.id, differences });
    }
    expect(differing).toEqual([]);
    expect(playable.length).toBeGreaterThan(recordings.length / 2);
  });
});
