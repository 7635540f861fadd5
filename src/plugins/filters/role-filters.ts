import { defineFilter } from "../define.ts";
import { noParams } from "../params.ts";
import { keepWhere } from "./keep-where.ts";

const ROLE_LABEL = "llm-d.ai/role";

/** Endpoints whose label `llm-d.ai/role` is one of `roles`; those without it as told. */
const roleFilter = (type: string, keepsUnlabelled: boolean, roles: readonly string[]) =>
  defineFilter({
    type,
    params: noParams,
    ignoresParams: true,
    create: (_params, { endpoints }) => ({
      filter: (_request, candidates, keep) =>
        keepWhere(candidates, keep, (slot) => {
          const role = endpoints.description[slot].labels[ROLE_LABEL];
          return role === undefined ? keepsUnlabelled : roles.includes(role);
        }),
    }),
  });

/**
 * The filters of disaggregated serving, by the label `llm-d.ai/role`: each keeps the endpoints that can take its stage.
 * Only decode-filter keeps endpoints without the label. Source: scheduling/filter/bylabel/roles.go.
 */
export const ROLE_FILTERS = [
  roleFilter("decode-filter", true, ["decode", "prefill-decode", "both", "encode-prefill-decode"]),
  roleFilter("prefill-filter", false, ["prefill", "encode-prefill", "prefill-decode", "both", "encode-prefill-decode"]),
  roleFilter("encode-filter", false, ["encode", "encode-prefill", "encode-prefill-decode"]),
];
