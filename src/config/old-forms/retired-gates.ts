/** Feature gates of older releases, with what became of what they opened. They change nothing today, open or closed. */
export const RETIRED_GATES: Readonly<Record<string, string>> = {
  dataLayer: "a gate of GIE 1.2 to llm-d-router 0.9; the data layer is always on",
  prepareDataPlugins: "a gate of GIE 1.3 to 1.4; data producers are always on",
  enableLegacyMetrics: "a gate of llm-d-router before 0.10; metrics have their older names too, always",
};
