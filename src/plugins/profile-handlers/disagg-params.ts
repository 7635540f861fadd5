import { z } from "zod";
import { textOr } from "../params.ts";

const STAGE_ORDERS: Readonly<Record<string, "decode-first" | "prefill-first">> = {
  "": "decode-first",
  decode: "decode-first",
  decodefirst: "decode-first",
  prefill: "prefill-first",
  prefillfirst: "prefill-first",
};

const stageOrder = z
  .string()
  .default("decode-first")
  .transform((text, context) => {
    const order = STAGE_ORDERS[text.replaceAll(/[-_]/g, "").toLowerCase()];
    if (order) return order;
    context.addIssue({ code: "custom", message: '"decode-first" or "prefill-first"' });
    return z.NEVER;
  });

/** Flat keys of older releases, each with the nested one that means the same. */
const OLD_KEYS = {
  decodeProfile: "profiles.decode",
  prefillProfile: "profiles.prefill",
  encodeProfile: "profiles.encode",
  prefillDeciderPluginName: "deciders.prefill",
  deciderPluginName: "deciders.prefill",
  encodeDeciderPluginName: "deciders.encode",
} as const;
type OldKey = keyof typeof OLD_KEYS;

const oldKey = (key: OldKey) => z.string().optional().describe(`Older form of ${OLD_KEYS[key]}.`);

/**
 * Parameters of disagg-profile-handler: nested, or in the older flat form, never both. What is parsed is nested; a config
 * with flat keys is told of by `config/old-forms/disagg-flat-keys.ts`.
 */
export const disaggParams = z
  .strictObject({
    stageOrder: stageOrder.describe("Which stage is picked first."),
    profiles: z
      .strictObject({
        decode: textOr("decode").describe("Profile that picks the decode pod."),
        prefill: textOr("prefill").describe("Profile that picks the prefill pod."),
        encode: textOr("encode").describe("Profile that picks the encode pods."),
      })
      .optional()
      .describe("Names of the stages' profiles."),
    deciders: z
      .strictObject({
        prefill: z
          .string()
          .default("")
          .describe('Plugin that decides whether prefill runs on its own; "" = it does not.'),
        encode: z
          .string()
          .default("")
          .describe('Plugin that decides whether encode runs on its own; "" = it does not.'),
      })
      .optional()
      .describe("Plugins that decide whether a stage runs."),
    decodeProfile: oldKey("decodeProfile"),
    prefillProfile: oldKey("prefillProfile"),
    encodeProfile: oldKey("encodeProfile"),
    prefillDeciderPluginName: oldKey("prefillDeciderPluginName"),
    deciderPluginName: oldKey("deciderPluginName"),
    encodeDeciderPluginName: oldKey("encodeDeciderPluginName"),
  })
  .transform((given, context) => {
    const old = (Object.keys(OLD_KEYS) as OldKey[]).filter((key) => given[key] !== undefined);
    if (old.length > 0 && (given.profiles || given.deciders)) {
      const message = `the nested form alone: ${OLD_KEYS[old[0]]} says what ${old[0]} did`;
      context.addIssue({ code: "custom", path: [old[0]], message });
    }
    const deciders = given.deciders ?? {
      prefill: given.prefillDeciderPluginName || given.deciderPluginName || "",
      encode: given.encodeDeciderPluginName ?? "",
    };
    if (given.stageOrder === "prefill-first" && deciders.prefill !== "") {
      const path = given.deciders
        ? ["deciders", "prefill"]
        : [old.find((key) => OLD_KEYS[key] === "deciders.prefill")!];
      context.addIssue({ code: "custom", path, message: "none, as stageOrder is prefill-first" });
    }
    const profiles = given.profiles ?? {
      decode: given.decodeProfile || "decode",
      prefill: given.prefillProfile || "prefill",
      encode: given.encodeProfile || "encode",
    };
    return { stageOrder: given.stageOrder, profiles, deciders };
  });

export type DisaggParams = z.infer<typeof disaggParams>;
