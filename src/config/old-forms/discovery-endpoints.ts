import { childOf } from "../config-node.ts";
import type { OldForm } from "./old-form.ts";
import { inPlace, withoutEntry } from "./old-form.ts";

/** `dataLayer.discovery.endpoints.pluginRef`, as newer guides write it: `dataLayer.discovery.pluginRef`. */
export const discoveryEndpoints: OldForm = (root, problems) => {
  const dataLayer = childOf(root, "dataLayer");
  const discovery = childOf(dataLayer, "discovery");
  const endpoints = childOf(discovery, "endpoints");
  const pluginRef = childOf(endpoints, "pluginRef");
  if (dataLayer?.kind !== "map" || discovery?.kind !== "map" || !pluginRef) return root;
  problems.old(
    endpoints!.place,
    ["dataLayer", "discovery", "endpoints"],
    "a newer form of dataLayer.discovery.pluginRef, and means the same",
  );
  const rest = withoutEntry(discovery, "endpoints");
  const now = childOf(rest, "pluginRef") ? rest : inPlace(rest, "pluginRef", pluginRef);
  return inPlace(root, "dataLayer", inPlace(dataLayer, "discovery", now));
};
