#!/usr/bin/env bash
# Runs the unit and golden tests on another Node: scripts/test-on-node.sh VERSION (for example 24 or 20.19.0).
set -euo pipefail
cd "$(dirname "$0")/.."
node=$(bash scripts/setup-node.sh "$1")
echo "Node $("$node" --version)"
PATH=$(dirname "$node"):$PATH "$node" node_modules/vitest/vitest.mjs run --project unit --project golden --reporter=dot
