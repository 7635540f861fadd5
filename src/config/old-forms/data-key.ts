import type { OldForm } from "./old-form.ts";
import { renamed, withoutEntry } from "./old-form.ts";

/** `data` at the top (GIE 1.3 to 1.4, llm-d-inference-scheduler 0.5 to 0.7): today `dataLayer`, which counts when both are there. */
export const dataKey: OldForm = (root, problems) => {
  const old = root.entries.find(({ key }) => key === "data");
  if (!old) return root;
  problems.old(old.keyPlace, ["data"], "an older name of dataLayer");
  return root.entries.some(({ key }) => key === "dataLayer")
    ? withoutEntry(root, "data")
    : renamed(root, "data", "dataLayer");
};
