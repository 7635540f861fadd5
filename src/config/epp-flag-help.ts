import { EPP_FLAG_GROUPS } from "./epp-flag-table.ts";
import type { Flag } from "./flag-kinds.ts";
import { OLD_FLAG_GROUP, RETIRED_FLAGS, TRANSLATED_FLAGS } from "./old-flags.ts";

/** Help: what the command is for, every flag of today by its group, examples. */
export function eppHelp(): string {
  const groups = Object.entries(EPP_FLAG_GROUPS).map(
    ([title, flags]) => `${title}\n${Object.values<Flag<unknown>>(flags).map(helpLine).join("\n")}`,
  );
  return `warmpath epp [flags]

The Endpoint Picker: answers Envoy over ext_proc with the pod that should serve a request. It takes the arguments of
every release of the stock EPP: --name value or --name=value; a switch takes its value behind = only. Unknown flags are
passed over with a warning, unless --strict-config.

${groups.join("\n\n")}

Help
  --help
        This text.
  --help-old
        Flags and spellings of older releases, which are taken too.

Examples
  warmpath epp --pool-name pool --config-file config.yaml --secure-serving=false
  warmpath epp --pool-name pool --config-file config.yaml --record-events run.jsonl --seed 7
`;
}

/** Help about what older releases had. */
export function eppOldHelp(): string {
  const translated = [...TRANSLATED_FLAGS.values()].map(({ flag, becomes }) =>
    helpLine({ ...flag, defaultText: "", help: `${flag.help} Today: ${becomes}.` }),
  );
  const retired = [...RETIRED_FLAGS.values()].map(({ flag, why }) =>
    helpLine({ ...flag, help: `${flag.help} No effect: ${why}.` }),
  );
  return `Older flags of warmpath epp

Each is taken with a warning; --strict-config refuses them as today's stock EPP does.

Spellings
  Every flag may be written with one dash (-pool-name) and in camelCase (--poolName, -poolName).

Parameters of plugins today; what the config itself says counts before them
${translated.join("\n")}

Others
${Object.values<Flag<unknown>>(OLD_FLAG_GROUP).map(helpLine).join("\n")}
${retired.join("\n")}
`;
}

function helpLine({ name, short, placeholder, defaultText, help }: Flag<unknown>): string {
  const left = `  ${short ? `-${short}, ` : ""}--${name}${placeholder === "" ? "" : ` ${placeholder}`}`;
  const shown = defaultText === "" || defaultText === "false" ? "" : ` (default ${defaultText})`;
  return `${left}\n        ${help}${shown}`;
}
