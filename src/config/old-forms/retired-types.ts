const ROUTER =
  "a type of GIE 1.2, set up by environment variables, which a config does not show; predicted-latency-producer with latency-scorer and slo-headroom-tier-filter takes its place, set up by parameters";
const HANDLER =
  "a type of GIE 1.2 to 1.3 that chose the profile by the header x-prediction-based-scheduling; a profile with latency-scorer predicts for every request today";

/** Plugin types of older releases that have no equal today, with what to write in their place. */
export const RETIRED_TYPES: Readonly<Record<string, string>> = {
  "slo-aware-router": ROUTER,
  "slo-aware-routing": ROUTER,
  "slo-aware-profile-handler": HANDLER,
  "predicted-latency-profile-handler": HANDLER,
};
