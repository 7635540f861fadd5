import type { Case } from "../golden/cases.ts";
import { FAMILIES, playableOf } from "../golden/families.ts";
import { encodeRequest } from "../golden/wire.ts";

/** Messages of one stream, in order, as they are on the wire. */
export type Sequence = readonly Uint8Array[];

/** Longer ones are left to the hostile streams. */
const SEQUENCE_BYTES_MAX = 20_000;
/** Cases of a family that give a config: each has a core of its own. */
const CASES_BY_FAMILY = 2;

/** A config with every parser and with plugins that keep something of each request. */
const ALL_PARSERS = `
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- {type: file-discovery, parameters: {path: "{endpoints}"}}
- {type: prefix-cache-scorer}
- {type: active-request-scorer}
- {type: inflight-load-producer}
- {type: mm-embeddings-cache-scorer}
- {type: session-affinity-scorer}
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: prefix-cache-scorer, weight: 3}
  - {pluginRef: active-request-scorer, weight: 1}
  - {pluginRef: mm-embeddings-cache-scorer, weight: 1}
  - {pluginRef: session-affinity-scorer, weight: 1}
dataLayer:
  discovery: {pluginRef: file-discovery}
requestHandler:
  parsers:
  - {pluginRef: openai-parser}
  - {pluginRef: anthropic-parser}
  - {pluginRef: vllmhttp-parser}
  - {pluginRef: sglanghttp-parser}
  - {pluginRef: vllmgrpc-parser}
  - {pluginRef: vertexai-parser}
  - {pluginRef: passthrough-parser}
`;

/** Every stream that the recordings hold, each once. */
export function recordedSequences(): readonly Sequence[] {
  const known = new Map<string, Sequence>();
  for (const family of FAMILIES) {
    for (const { case: testCase } of playableOf(family).playable) {
      for (const sequence of sequencesOf(testCase)) {
        const bytes = sequence.reduce((sum, { length }) => sum + length, 0);
        if (bytes <= SEQUENCE_BYTES_MAX) known.set(Buffer.concat(sequence).toString("latin1"), sequence);
      }
    }
  }
  return [...known.values()];
}

/** Recorded configs, a few of each family, those without endpoints left out; and one with every parser. */
export function configsToFuzz(): readonly Case[] {
  const recorded = FAMILIES.flatMap((family) =>
    playableOf(family)
      .playable.map(({ case: testCase }) => testCase)
      .filter(({ endpoints, endpointsText }) => endpoints.length > 1 && endpointsText === undefined)
      .slice(0, CASES_BY_FAMILY),
  );
  const [{ endpoints }] = recorded;
  return [{ id: "all-parsers", family: "parsers", config: ALL_PARSERS, endpoints, steps: [] }, ...recorded];
}

function sequencesOf({ steps }: Case): readonly Sequence[] {
  const streams = new Map<string, Uint8Array[]>();
  for (const { send, message } of steps) {
    if (send === undefined || !message) continue;
    streams.set(send, [...(streams.get(send) ?? []), encodeRequest(message)]);
  }
  return [...streams.values()];
}
