#!/usr/bin/env bash
# Thirty kills in mid-flow for each sink, judged by the oracle: `make chaos`. KILLS=30 EVENTS=10000000 SEED=1
set -euo pipefail
weir=$(realpath "$1")
folder=${CHAOS_DIR:-${TMPDIR:-/tmp}/weir-chaos}
for sink in file parquet; do
  echo "== file -> filter -> shuffle -> $sink"
  WEIR=$weir "$(dirname "$weir")/weir-chaos" --folder "$folder/$sink" --sink "$sink" \
    --kills "${KILLS:-30}" --events "${EVENTS:-10000000}" --seed "${SEED:-1}"
done
