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
 * Keeps the endpoints that can take a stage of disaggregated serving, by their label `llm-d.ai/role`. decode-filter:
 * `decode`, `prefill-decode`, `both`, `encode-prefill-decode`, and endpoints without the label. prefill-filter:
 * `prefill`, `encode-prefill`, `prefill-decode`, `both`, `encode-prefill-decode`. encode-filter: `encode`,
 * `encode-prefill`, `encode-prefill-decode`. Source: scheduling/filter/bylabel/roles.go.
 */
export const ROLE_FILTERS = [
  roleFilter("decode-filter", true, ["decode", "prefill-decode", "both", "encode-prefill-decode"]),
  roleFilter("prefill-filter", false, ["prefill", "encode-prefill", "prefill-decode", "both", "encode-prefill-decode"]),
  roleFilter("encode-filter", false, ["encode", "encode-prefill", "encode-prefill-decode"]),
];
