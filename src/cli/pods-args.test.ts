import { describe, expect, it } from "vitest";
import { parsePodsArgs } from "./pods-args.ts";

const problems = (...argv: string[]): readonly string[] => {
  const args = parsePodsArgs(argv);
  return "problems" in args ? args.problems : [];
};

describe("the options of warmpath pods", () => {
  it("are all optional", () => {
    expect(parsePodsArgs([])).toEqual({
      options: { basePort: 8000, model: "Qwen3-0.6B", gpu: "L4", engine: {} },
      endpointsFile: undefined,
      listPresets: false,
    });
  });

  it("are read into the options of startPods", () => {
    const argv =
      "--count 4 --base-port 9000 --host 127.0.0.2 --name-prefix sim --write-endpoints e.yaml --model qwen3-32b " +
      "--gpu H100x2 --served-model-name big --time-scale 0.1 --seed 7 --natural-tokens 10-20 --lora-modules a,b " +
      "--max-loras 2 --block-size 64 --num-gpu-blocks 1000 --max-num-seqs 8 --max-num-batched-tokens 512 " +
      "--long-prefill-token-threshold 256 --max-model-len 4096 --no-prefix-caching --no-cache-generated " +
      "--kv-usage-metric vllm:gpu_cache_usage_perc --no-prompt-tokens-details --max-requests 9 --max-body-bytes 1000";
    expect(parsePodsArgs(argv.split(" "))).toEqual({
      endpointsFile: "e.yaml",
      listPresets: false,
      options: {
        count: 4,
        basePort: 9000,
        host: "127.0.0.2",
        namePrefix: "sim",
        model: "qwen3-32b",
        gpu: "H100x2",
        servedModelName: "big",
        timeScale: 0.1,
        seed: 7,
        naturalTokensMin: 10,
        naturalTokensMax: 20,
        loraAdapters: ["a", "b"],
        lorasMax: 2,
        blockSizeTokens: 64,
        kvUsageMetric: "vllm:gpu_cache_usage_perc",
        promptTokensDetails: false,
        bodyBytesMax: 1000,
        engine: {
          gpuBlocks: 1000,
          seqsMax: 8,
          batchedTokensMax: 512,
          longPrefillTokensMax: 256,
          modelLenTokensMax: 4096,
          requestsMax: 9,
          prefixCaching: false,
          cacheGeneratedTokens: false,
        },
      },
    });
  });

  it("take pods by role, and what KV transfer costs", () => {
    const argv =
      "--prefill 2 --decode 3 --encode 1 --both 1 --kv-gigabytes-per-second 12.5 --kv-latency-ms 0.5 " +
      "--kv-hold-seconds 30 --max-kv-transfers 8 --max-kv-holds 16 --kv-load-failure-policy fail --prefill-failure error " +
      "--media-tokens 64 --encode-ms 12.5";
    expect(parsePodsArgs(argv.split(" "))).toMatchObject({
      options: {
        roles: { prefill: 2, decode: 3, encode: 1, both: 1 },
        kvTransfer: {
          bytesPerSecond: 12_500_000_000,
          latencyUs: 500,
          holdUsMax: 30_000_000,
          transfersMax: 8,
          holdsMax: 16,
          loadFailure: "fail",
        },
        sidecar: { prefillFailure: "error" },
        mediaTokens: 64,
        encodeUs: 12_500,
      },
    });
  });

  it.each([
    [["--prefill", "600", "--decode", "600"], "there are 1200 pods in all, allowed: 1 to 1000"],
    [["--prefill", "-1"], ""],
    [["--kv-latency-ms", "x"], '--kv-latency-ms is "x", allowed: a number from 0 to 600000'],
    [["--kv-gigabytes-per-second", "0"], "allowed: a number from 0.001 to 100000"],
    [["--kv-load-failure-policy", "ignore"], "allowed: recompute or fail"],
    [["--prefill-failure", "retry"], "allowed: decode or error"],
    [["--base-port", "65535", "--prefill", "1", "--decode", "1"], "2 pods from port 65535"],
    [["--cuont", "4"], "unknown option --cuont; did you mean --count?"],
    [["--nothing-like-it"], "unknown option --nothing-like-it"],
    [["--count", "0"], '--count is "0", allowed: a whole number from 1 to 1000'],
    [["--count", "two"], '--count is "two", allowed: a whole number from 1 to 1000'],
    [["--count", "1.5"], '--count is "1.5", allowed: a whole number from 1 to 1000'],
    [["--time-scale", "-1"], ""],
    [["--time-scale=-1"], '--time-scale is "-1", allowed: 0, or from 0.001 to 100 real seconds a model second'],
    [["--time-scale", "1e9"], '--time-scale is "1e9", allowed: 0, or from 0.001 to 100 real seconds a model second'],
    [["--natural-tokens", "20-10"], '--natural-tokens is "20-10", allowed: two numbers of tokens, as in 300-1500'],
    [["--model", "Qwen3-06B"], '--model is "Qwen3-06B"; did you mean Qwen3-0.6B? allowed: Qwen3-0.6B, Qwen3-4B,'],
    [["--gpu", "L5"], '--gpu is "L5"; did you mean L4? allowed: for Qwen3-0.6B L4, H100'],
    [["--model", "Qwen3-8B"], '--gpu is "L4", allowed: for Qwen3-8B H100'],
    [
      ["--kv-usage-metric", "x"],
      '--kv-usage-metric is "x", allowed: vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc',
    ],
    [["--base-port", "65535", "--count", "2"], "2 pods from port 65535 on need ports beyond 65535"],
    [["--num-gpu-blocks", "10", "--max-model-len", "1000"], "modelLenTokensMax is 1000, but only 144 tokens fit"],
    [["file"], "Unexpected argument 'file'"],
  ])("%j are refused with what is allowed", (argv, text) => {
    const found = problems(...argv);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(text);
  });

  it("tell all that is wrong with them at once", () => {
    expect(problems("--count", "x", "--seed", "y", "--gpu", "z")).toHaveLength(3);
  });
});
