#!/usr/bin/env bash
# From an event's way into a socket to its count's way out of another, at a fixed rate; Flink's harness has the feeder.
#   latency.sh WEIR_SOCKET [RATE] [SECONDS] [WARMUP_S]   CHECKPOINT=10s BUFFER=5ms
# One line: system, latency, settings, rate, sent, received, measured, p50, p90, p99, p99.9, max (ms), CPU seconds
# The job's newest event of each key in each batch is what is measured: with 100,000 keys hardly one is folded into another.
set -euo pipefail
weir=$(realpath "$1") rate=${2:-20000} seconds=${3:-30} warmup=${4:-10}
here=$(cd "$(dirname "$0")" && pwd)
benchgen=${BENCHGEN:-${BENCH_WORK:-$HOME/.cache/engine-bench}/target/release/benchgen}
[ -x "$benchgen" ] || { echo "latency: no feeder at $benchgen: build it with ../shared/bench/gen/build.sh" >&2; exit 1; }
folder=$(mktemp -d)
export SOURCE_PORT=${SOURCE_PORT:-19911} SINK_PORT=${SINK_PORT:-19912} CHECKPOINT=${CHECKPOINT:-10s} BUFFER=${BUFFER:-5ms}
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT

sed -e "s/\${SOURCE_PORT}/$SOURCE_PORT/" -e "s/\${SINK_PORT}/$SINK_PORT/" -e "s/\${CHECKPOINT}/$CHECKPOINT/" -e "s/\${BUFFER}/$BUFFER/" \
  "$here/latency.yaml" >"$folder/latency.yaml"
"$benchgen" pace --source-port "$SOURCE_PORT" --sink-port "$SINK_PORT" --rate "$rate" --seconds "$seconds" --warmup "$warmup" \
  >"$folder/pace" 2>"$folder/pace.log" &
pace=$!
pids+=($pace)
until grep -q waiting "$folder/pace.log"; do kill -0 $pace; sleep 0.05; done
"$weir" run "$folder/latency.yaml" --state "$folder/state" >"$folder/weir.log" 2>&1 &
job=$!
pids+=($job)
until ! kill -0 $pace 2>/dev/null; do
  cpu=$(awk '{print $14 + $15}' "/proc/$job/stat" 2>/dev/null || echo "${cpu:-0}")
  kill -0 $job 2>/dev/null || { cat "$folder/weir.log" >&2; exit 1; }
  sleep 0.2
done
printf 'weir\tlatency\tcheckpoint=%s buffer=%s\t%s\t%s\t%s\n' "$CHECKPOINT" "$BUFFER" "$rate" "$(tail -1 "$folder/pace")" "$((cpu / 100))"
