import { once } from "node:events";
import { ENGINE_PRESETS } from "../simulator/engine/presets.ts";
import { startPods, writeEndpointsFile, type PodFleet } from "../simulator/pods/start-pods.ts";
import type { Command } from "./command.ts";
import { parsePodsArgs, type PodsArgs } from "./pods-args.ts";

const help = `
warmpath pods [options]

Starts simulated vLLM pods: HTTP servers with vLLM's OpenAI API and /metrics over a model of its engine (batching,
prefix cache, paged KV blocks, preemption) that costs a step what the model costs on the GPU. Each has its own port.

Pods
  --count N               how many (default 1, or none beside pods with roles)
  --prefill N             pods by role, for disaggregated serving: the label llm-d.ai/role in the endpoints file;
  --decode N              those that decode have a routing side-car in front
  --both N
  --encode N
  --host ADDRESS          where they listen (default 127.0.0.1)
  --base-port PORT        the first one's port, the others follow; 0 gives each a free one (default 8000)
  --name-prefix TEXT      they are called TEXT-0, TEXT-1, TEXT-prefill-0 ... and say so in x-served-by (default pod)
  --write-endpoints FILE  writes their addresses for file discovery (warmpath epp, warmpath gateway)

Model
  --model NAME            (default Qwen3-0.6B)
  --gpu NAME              (default L4); xN is tensor parallelism over N, as in H100x2
  --list-presets          prints each model and GPU that there is, with its constants, and ends
  --served-model-name N   name in the API (default the model's)
  --time-scale S          real seconds that one model second takes: 1 real time, 0.1 ten times as fast,
                          0 answers at once (default 1)
  --seed N                pods of one seed answer the same prompt alike (default 1)
  --natural-tokens A-B    an answer that is not cut by max_tokens ends after A to B tokens (default 300-1500)
  --media-tokens N        tokens that stand for a picture, sound or film; 0 for a model that takes none (default 0,
                          256 with --encode)
  --encode-ms N           time that encoding one takes (default 50)
  --lora-modules A,B      adapters served beside the model
  --max-loras N           as /metrics shows it (default 4)

Engine, as in vLLM
  --block-size N          tokens a KV block (default 16)
  --num-gpu-blocks N      KV blocks (default what the GPU holds)
  --max-num-seqs N        requests in a batch
  --max-num-batched-tokens N
  --long-prefill-token-threshold N
  --max-model-len N       tokens of prompt and answer
  --no-prefix-caching
  --no-cache-generated    generated tokens are never hit

API
  --kv-usage-metric NAME  vllm:kv_cache_usage_perc (default), or vllm:gpu_cache_usage_perc as up to vLLM 0.9
  --no-prompt-tokens-details   usage without cached tokens
  --max-requests N        open requests of one pod; one more is answered 503 (default 4096)
  --max-body-bytes N      a longer request body is answered 413 (default 16777216)

KV transfer, of pods with roles
  --kv-gigabytes-per-second N   of a pod's link (default 25); each transfer waits for those before it
  --kv-latency-ms N       of a transfer beside its bytes (default 1)
  --kv-hold-seconds N     a prefill pod gives blocks that no one fetched back after that (default 480)
  --max-kv-transfers N    of one pod at once; the prompt of one more is computed (default 256)
  --max-kv-holds N        requests whose blocks a pod holds; one more is not held (default 4096)
  --kv-load-failure-policy P   recompute (default) or fail, for a prompt that could not be fetched
  --prefill-failure P     when a prefill or encode pod fails: decode (default) does its work on the decode pod, as the
                          side-car of llm-d did first; error answers the client with it, as later ones

A request with the header x-sim-report: 1 gets {"sim": {"ttft_ms", "queue_ms", "e2e_ms", "cached_tokens" ...}} at the
end of its answer, in model time. Faults are set over HTTP, all of a pod's at once, {} for none:
  metrics: hang, garbage, huge (10 MB), error, reset    requests: hang, error, reset, die (in the middle of an answer)
  health: error, hang                                   dieAfterTokens: N

Examples
  warmpath pods --count 4 --write-endpoints endpoints.yaml
  warmpath pods --count 8 --model Qwen3-32B --gpu H100x2 --block-size 64 --time-scale 0.1
  warmpath pods --prefill 2 --decode 2 --write-endpoints endpoints.yaml
  curl localhost:8000/v1/completions -d '{"prompt": "Once upon a time", "max_tokens": 20, "stream": true}'
  curl localhost:8000/sim/faults -d '{"metrics": "hang"}'
  curl localhost:8000/sim/refuse -d '{"forMs": 5000}'      no one can connect for five seconds
  curl localhost:8000/sim/state
  curl localhost:8000/sim/sidecar                          what the side-car did (pods that decode)
`;

/** `warmpath pods`. */
export const podsCommand: Command = { name: "pods", summary: "simulated vLLM pods over an engine model", help, run };

async function run(argv: readonly string[]): Promise<number> {
  const args = parsePodsArgs(argv);
  if ("problems" in args) {
    for (const problem of args.problems) process.stderr.write(`Cannot start pods: ${problem}\n`);
    process.stderr.write("See warmpath pods --help\n");
    return 2;
  }
  if (args.listPresets) {
    process.stdout.write(presetTable());
    return 0;
  }
  // Listen for the signals before the pods start: one that comes early must not be lost.
  const ended = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  const fleet = await startPods(args.options);
  try {
    await announce(fleet, args);
    await ended;
  } finally {
    await fleet.stop();
  }
  return 0;
}

async function announce({ pods }: PodFleet, { options, endpointsFile }: PodsArgs): Promise<void> {
  for (const pod of pods) {
    const { usableBlocks } = pod.signals();
    const engine = pod.enginePort === pod.port ? "" : `, side-car before port ${pod.enginePort}`;
    process.stdout.write(
      `${pod.name}  ${pod.url}  ${usableBlocks} KV blocks of ${options.blockSizeTokens ?? 16} tokens${engine}\n`,
    );
  }
  if (endpointsFile !== undefined) {
    await writeEndpointsFile(endpointsFile, pods);
    process.stdout.write(`endpoints written to ${endpointsFile}\n`);
  }
  process.stdout.write(`${pods.length} ${pods.length === 1 ? "pod is" : "pods are"} ready; SIGINT or SIGTERM ends\n`);
}

function presetTable(): string {
  const rows = ENGINE_PRESETS.map(({ model, gpu, stepTime, kvCacheTokens }) => [
    model,
    gpu,
    String(stepTime.aUs / 1000),
    String(stepTime.bUs),
    String(kvCacheTokens),
  ]);
  const table = [["MODEL", "GPU", "MS A STEP", "US A PROMPT TOKEN", "KV TOKENS"], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
