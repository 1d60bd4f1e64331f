#!/usr/bin/env bash
# Cycles of kill -9 in mid-flow, at random and at named points of a checkpoint, judged from outside: `make chaos`.
#   KILLS=200  EVENTS=200000 (of each datastream in a round)  SEED=1
# One cycle again:   KILLS=1 SEED=1 FIRST=17 make chaos       Some of them:   ONLY=commit KILLS=20 make chaos
set -euo pipefail
weir=$(realpath "$1")
chaos=$(dirname "$weir")/weir-chaos
[ -x "$chaos" ] || { echo "chaos: there is no $chaos; it is built beside weir: make build" >&2; exit 1; }
folder=${CHAOS_DIR:-${TMPDIR:-/tmp}/weir-chaos}
WEIR=$weir exec "$chaos" --folder "$folder" --kills "${KILLS:-200}" --events "${EVENTS:-200000}" --seed "${SEED:-1}" \
  --first "${FIRST:-0}" ${ONLY:+--only "$ONLY"}
