import { writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import { ENGINE_PRESETS, findEnginePreset, presetEngineOptions, type EnginePreset } from "../engine/presets.ts";
import type { EngineOptions } from "../engine/engine-types.ts";
import { POD_DEFAULTS, type PodSettings } from "./pod-options.ts";
import { startPod, type Pod } from "./pod.ts";

/** A fleet of equal simulated pods. */
export interface PodsOptions extends Partial<Omit<PodSettings, "name" | "modelName" | "engine">> {
  /** Default 1. */
  readonly count?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The first pod's port, the others follow; 0 (the default) gives each a free one. */
  readonly basePort?: number;
  /** Preset names, see presets.ts. Default Qwen3-0.6B on L4. */
  readonly model?: string;
  readonly gpu?: string;
  /** The name under which the model is served; default the preset's. */
  readonly servedModelName?: string;
  /** Default 16. */
  readonly blockSizeTokens?: number;
  /** Pods are named `PREFIX-0`, `PREFIX-1` ...; default "pod". */
  readonly namePrefix?: string;
  /** What differs from the preset. */
  readonly engine?: Partial<EngineOptions>;
}

export interface PodFleet {
  readonly pods: readonly Pod[];
  stop(): Promise<void>;
}

export const MODEL_DEFAULT = "Qwen3-0.6B";
export const GPU_DEFAULT = "L4";

/** Starts all pods, or none: when one can't start the others are stopped again. */
export async function startPods(options: PodsOptions = {}): Promise<PodFleet> {
  const { count = 1, host = "127.0.0.1", basePort = 0, namePrefix = "pod" } = options;
  const pods: Pod[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(pods.map((pod) => pod.stop()));
  };
  try {
    for (let i = 0; i < count; i++) {
      const settings = podSettings(options, `${namePrefix}-${i}`);
      pods.push(await startPod(settings, host, basePort === 0 ? 0 : basePort + i));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { pods, stop };
}

/** Settings of one pod. Throws RangeError when there is no preset for the model and GPU. */
export function podSettings(options: PodsOptions, name: string): PodSettings {
  const { model = MODEL_DEFAULT, gpu = GPU_DEFAULT, blockSizeTokens = 16 } = options;
  const preset = findEnginePreset(model, gpu);
  if (!preset) {
    const known = ENGINE_PRESETS.map((p) => `${p.model} on ${p.gpu}`).join(", ");
    throw new RangeError(`Cannot find a preset for ${model} on ${gpu}: known are ${known}`);
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as PodsOptions;
  return {
    ...POD_DEFAULTS,
    ...given,
    name,
    modelName: options.servedModelName ?? preset.model,
    engine: engineOptions(preset, blockSizeTokens, options.engine ?? {}),
  };
}

/** A smaller KV cache than the preset's also bounds the length of a request, unless that is given. */
function engineOptions(preset: EnginePreset, blockSizeTokens: number, given: Partial<EngineOptions>): EngineOptions {
  const options = { ...presetEngineOptions(preset, blockSizeTokens), ...given };
  const usableTokens = (options.gpuBlocks - 1) * options.blockSizeTokens;
  return {
    ...options,
    modelLenTokensMax: given.modelLenTokensMax ?? Math.min(options.modelLenTokensMax, usableTokens),
  };
}

/** Writes the pods in the format of file discovery. */
export async function writeEndpointsFile(
  path: string,
  pods: readonly Pick<Pod, "name" | "host" | "port">[],
): Promise<void> {
  const endpoints = pods.map((pod) => ({ name: pod.name, address: pod.host, port: String(pod.port) }));
  await writeFile(path, stringify({ endpoints }));
}
