import type { Case, Recording } from "./cases.ts";
import { readFamily } from "./cases.ts";
import unbuilt from "./unbuilt.json" with { type: "json" };

/** Families of recordings that are played. */
export const FAMILIES = [
  "default",
  "disagg",
  "kserve",
  "protocol",
  "subset",
  "prefix",
  "inflight",
  "lora",
  "session",
  "filters",
  "scorers",
  "saturation",
  "engines",
  "parsers",
];
/** Flags that bring back what the stock EPP does where ours does otherwise (docs/differences.md), by family. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  // Ours reads the KV use of vLLM under its older name, too.
  engines: ["--strict-config"],
  // Ours joins an event that is split across chunks, and knows its usage.
  parsers: ["--join-split-usage=false"],
};
const UNBUILT: {
  readonly types: readonly string[];
  readonly paths: readonly string[];
  /** Ids of cases, with what each needs. */
  readonly cases: Readonly<Record<string, string>>;
} = unbuilt;

/** A family's recordings, and those of them that can be played by what is built. */
export function playableOf(family: string): { readonly recordings: Recording[]; readonly playable: Recording[] } {
  const recordings = readFamily(family).map((recording) => withFlags(recording, SWITCHES[family] ?? []));
  return { recordings, playable: recordings.filter((recording) => !missingFor(recording.case)) };
}

/** What a case needs that is not built yet; undefined when it can be played. */
function missingFor(testCase: Case): string | undefined {
  const paths = testCase.steps
    .flatMap((s) => s.message?.request_headers?.headers ?? [])
    .filter(([key]) => key === ":path");
  return (
    UNBUILT.cases[testCase.id] ??
    UNBUILT.types.find((type) => new RegExp(`type: *"?${type}\\b`).test(testCase.config)) ??
    UNBUILT.paths.find((path) => paths.some(([, value]) => value === path))
  );
}

const withFlags = (recording: Recording, flags: readonly string[]): Recording => ({
  ...recording,
  case: { ...recording.case, flags: [...(recording.case.flags ?? []), ...flags] },
});
