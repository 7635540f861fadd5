#!/usr/bin/env bash
# Plays the recorded answers of the stock EPP over real ext_proc streams against dist/, by the player in ../shared/tools/equiv.
#   scripts/equiv.sh [FAMILY ...]     default: the families whose plugins are built
# Metrics pages are compared, too. A model rewrite is played both ways: --rewrite=stock must equal byte for byte; --rewrite=splice is compared as JSON in process.
set -euo pipefail
cd "$(dirname "$0")/.."
shared=../shared
if [ ! -d "$shared/tools/equiv" ]; then
  echo "skipped: $shared/tools/equiv is not here, so nothing was played over ext_proc"
  exit 0
fi
mkdir -p .cache/equiv out
cp -r "$shared/tools/equiv/." .cache/equiv/
chmod -R u+w .cache/equiv
[ -d .cache/equiv/node_modules ] || (cd .cache/equiv && npm ci --silent --no-audit --no-fund)
families=("$@")
[ ${#families[@]} -gt 0 ] || families=(default protocol subset prefix inflight lora session scorers filters disagg kserve saturation engines parsers config-errors)
main=$PWD/dist/cli/main.js
epp="node $main epp --config-file {config} --grpc-port {grpcPort} --grpc-health-port {healthPort} --metrics-port {metricsPort} --secure-serving=false --pool-name pool --pool-namespace default --emit-endpoint-scores --tracing=false --allow-experimental-plugins --enable-pprof=false -v 1 --rewrite=stock --remove-client-headers=false --join-split-usage=false"
status=0
for family in "${families[@]}"; do
  cases=out/equiv-$family.jsonl
  node scripts/golden-cases.mjs "$shared/golden/$family.jsonl" > "$cases"
  echo "$family: $(wc -l < "$cases") cases"
  # What ours takes beyond the stock EPP, it takes where it is not strict (docs/differences.md).
  switches=""
  [[ $family != engines && $family != config-errors ]] || switches="--strict-config"
  node .cache/equiv/equiv.js compare --epp "$epp $switches" "$cases" --jobs 2 || status=1
done
exit $status
