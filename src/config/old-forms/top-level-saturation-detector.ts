import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { mapUnder, withEntry, withoutEntry } from "./old-form.ts";

/** `saturationDetector` at the top: today `flowControl.saturationDetector`, which counts when both are there. */
export const topLevelSaturationDetector: OldForm = (root, problems) => {
  const old = childOf(root, "saturationDetector");
  const flowControl = mapUnder(root, "flowControl");
  if (!old) return root;
  problems.warn(old.place, ["saturationDetector"], "an older form of flowControl.saturationDetector");
  const rest = withoutEntry(root, "saturationDetector");
  if (!flowControl) return rest;
  if (childOf(flowControl, "saturationDetector")) return rest;
  return withEntry(rest, "flowControl", withEntry(flowControl, "saturationDetector", old));
};
