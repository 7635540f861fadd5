import { writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import { ENGINE_PRESETS, findEnginePreset, presetEngineOptions, type EnginePreset } from "../engine/presets.ts";
import type { EngineOptions } from "../engine/engine-types.ts";
import { KV_TRANSFER_DEFAULTS, type KvTransferOptions } from "./kv-transfer-options.ts";
import { POD_DEFAULTS, type PodRole, type PodSettings } from "./pod-options.ts";
import { startPod, type Pod } from "./pod.ts";
import { SIDECAR_DEFAULTS, type SidecarOptions } from "./routing-sidecar.ts";

type OfOnePod = "name" | "modelName" | "engine" | "role" | "kvTransfer" | "sidecar";

/** A fleet of simulated pods, equal but for their roles. */
export interface PodsOptions extends Partial<Omit<PodSettings, OfOnePod>> {
  /** Pods without a role. Default 1, or none when there are pods with roles. */
  readonly count?: number;
  /** Pods of each role. Those transfer KV; a routing side-car stands before those that decode. */
  readonly roles?: Partial<Readonly<Record<PodRole, number>>>;
  /** What differs from `KV_TRANSFER_DEFAULTS`. */
  readonly kvTransfer?: Partial<KvTransferOptions>;
  /** What differs from `SIDECAR_DEFAULTS`. */
  readonly sidecar?: Partial<SidecarOptions>;
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
  /** Pods are named `PREFIX-0`, `PREFIX-1` ..., or `PREFIX-ROLE-0` ...; default "pod". */
  readonly namePrefix?: string;
  /** What differs from the preset. */
  readonly engine?: Partial<EngineOptions>;
}

export interface PodFleet {
  readonly pods: readonly Pod[];
  stop(): Promise<void>;
}

/** Of one picture, sound or film, where there are encode pods. */
const MEDIA_TOKENS_DEFAULT = 256;
export const MODEL_DEFAULT = "Qwen3-0.6B";
export const GPU_DEFAULT = "L4";

/** Starts all pods, or none: when one can't start the others are stopped again. */
export async function startPods(options: PodsOptions = {}): Promise<PodFleet> {
  const { host = "127.0.0.1", basePort = 0 } = options;
  const pods: Pod[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(pods.map((pod) => pod.stop()));
  };
  try {
    for (const [i, { name, role }] of fleetPods(options).entries()) {
      pods.push(await startPod(podSettings(options, name, role), host, basePort === 0 ? 0 : basePort + i));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { pods, stop };
}

const ROLES: readonly PodRole[] = ["encode", "prefill", "decode", "both"];

/** Names and roles of a fleet's pods, those without a role first. */
export function fleetPods({ count, roles = {}, namePrefix = "pod" }: PodsOptions): readonly FleetPod[] {
  const withRoles = ROLES.flatMap((role) =>
    Array.from({ length: roles[role] ?? 0 }, (_, i): FleetPod => ({ name: `${namePrefix}-${role}-${i}`, role })),
  );
  const plain = Array.from({ length: count ?? (withRoles.length > 0 ? 0 : 1) }, (_, i): FleetPod => {
    return { name: `${namePrefix}-${i}`, role: undefined };
  });
  return [...plain, ...withRoles];
}

interface FleetPod {
  readonly name: string;
  readonly role: PodRole | undefined;
}

/** Settings of one pod. Throws RangeError when there is no preset for the model and GPU. */
export function podSettings(options: PodsOptions, name: string, role?: PodRole): PodSettings {
  const { model = MODEL_DEFAULT, gpu = GPU_DEFAULT, blockSizeTokens = 16, kvTransfer, sidecar, ...others } = options;
  const preset = findEnginePreset(model, gpu);
  if (!preset) {
    const known = ENGINE_PRESETS.map((p) => `${p.model} on ${p.gpu}`).join(", ");
    throw new RangeError(`Cannot find a preset for ${model} on ${gpu}: known are ${known}`);
  }
  const given = Object.fromEntries(
    Object.entries(others).filter(([, value]) => value !== undefined),
  ) as Partial<PodSettings>;
  const ofRole = role && {
    role,
    kvTransfer: { ...KV_TRANSFER_DEFAULTS, bytesPerToken: preset.kvBytesPerToken, ...kvTransfer },
  };
  return {
    ...POD_DEFAULTS,
    ...(options.roles?.encode ? { mediaTokens: MEDIA_TOKENS_DEFAULT } : {}),
    ...given,
    name,
    modelName: options.servedModelName ?? preset.model,
    engine: engineOptions(preset, blockSizeTokens, options.engine ?? {}),
    ...ofRole,
    ...(role === "decode" || role === "both" ? { sidecar: { ...SIDECAR_DEFAULTS, ...sidecar } } : {}),
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

/** Label by which the picker knows what a pod is for. */
const ROLE_LABEL = "llm-d.ai/role";

/** Writes the pods in the format of file discovery. */
export async function writeEndpointsFile(
  path: string,
  pods: readonly (Pick<Pod, "name" | "host" | "port"> & Partial<Pick<Pod, "role">>)[],
): Promise<void> {
  const endpoints = pods.map(({ name, host, port, role }) => ({
    name,
    address: host,
    port: String(port),
    ...(role === undefined ? {} : { labels: { [ROLE_LABEL]: role } }),
  }));
  await writeFile(path, stringify({ endpoints }));
}
