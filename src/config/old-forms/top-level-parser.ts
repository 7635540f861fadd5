import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { mapUnder, withEntry, withoutEntry } from "./old-form.ts";

/** `parser` at the top: today the one entry of `requestHandler.parsers`, which counts when both are there. */
export const topLevelParser: OldForm = (root, problems) => {
  const old = childOf(root, "parser");
  const requestHandler = mapUnder(root, "requestHandler");
  if (!old) return root;
  problems.warn(old.place, ["parser"], "an older form of requestHandler.parsers");
  const rest = withoutEntry(root, "parser");
  if (!requestHandler) return rest;
  const parsers = childOf(requestHandler, "parsers");
  if (parsers?.kind === "list" && parsers.items.length > 0) return rest;
  const { place, size } = old;
  const list = { kind: "list", items: [old], place, size: size + 1 } as const;
  return withEntry(rest, "requestHandler", withEntry(requestHandler, "parsers", list));
};
