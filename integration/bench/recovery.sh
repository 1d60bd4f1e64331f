#!/usr/bin/env bash
# From kill -9 of the working task manager to new output, with a standby task manager registered; Flink's harness has the watch.
#   recovery.sh WEIR [RATE] [KEYS] [WARM_S]     REPS=1
# One line a run: system, recovery, settings, rate, keys, first_output_s, settle_s, bytes_per_s, back_to_rate_s
# RATE events a second, one row out for each: a running count by subscriber, as changes into files; default settings.
set -euo pipefail
weir=$(realpath "$1") rate=${2:-50000} keys=${3:-500000} warm=${4:-10}
here=$(cd "$(dirname "$0")" && pwd)
harness=$(realpath -m "${HARNESS:-$here/../../../shared/bench}")
[ -e "$harness/recovery/kill_watch.py" ] || { echo "recovery: no watch at $harness/recovery" >&2; exit 1; }
folder=$(mktemp -d)
pids=()
stop() { [ ${#pids[@]} = 0 ] || kill -9 "${pids[@]}" 2>/dev/null || true; pids=(); wait 2>/dev/null || true; }
trap 'stop; rm -rf "$folder"' EXIT

await() {
  local deadline=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "recovery: waited 60 s for: $*; logs in $folder" >&2; trap stop EXIT; exit 1; }
    sleep 0.05
  done
}
start() { "$weir" "${@:2}" --allow-path "$folder" >"$folder/$1.log" 2>&1 & pids+=($!); disown $!; }
runs() { "$weir" describe recovery -o json | grep -q '"state": *"running"'; }
writes() { [ -n "$(find "$folder/out" -type f -size +64k 2>/dev/null)" ]; }

for _ in $(seq "${REPS:-1}"); do
  rm -rf "${folder:?}"/*
  start jobmanager jobmanager --state "$folder/state" --listen 127.0.0.1:0 --control 127.0.0.1:0 --ready-file "$folder/ready.json"
  await test -s "$folder/ready.json"
  export WEIR_CLUSTER=http://$(sed -n 's/.*"listen": *"\([^"]*\)".*/\1/p' "$folder/ready.json")
  export WEIR_CONTROL=$(sed -n 's/.*"control": *"\([^"]*\)".*/\1/p' "$folder/ready.json")
  start tm-1 taskmanager --name tm-1 --slots 2 --memory "${MEMORY:-1GiB}"
  working=${pids[-1]}
  cat >"$folder/recovery.yaml" <<YAML
datastreamName: recovery
contactName: bench
desiredState: ON
parallelism: 2
sources:
  - generator: { events: shop, splits: 2, throughput: $rate, subscribers: $keys }
    format: { json: { schema: { subscriberId: int64, eventTime: timestamp } } }
steps:
  - keyBy: [subscriberId]
    aggregate: { n: count(*), last: max(eventTime) }
sinks:
  - file: { path: "$folder/out", changelog: true }
YAML
  "$weir" submit "$folder/recovery.yaml" >"$folder/submit.log" 2>&1 || { cat "$folder/submit.log" >&2; exit 1; }
  await runs
  await writes
  start tm-2 taskmanager --name tm-2 --slots 2 --memory "${MEMORY:-1GiB}"
  sleep "$warm" # the state is to fill: what is waited for is time
  printf 'weir\trecovery\tdefault\t%s\t%s\t%s\n' "$rate" "$keys" \
    "$(python3 "$harness/recovery/kill_watch.py" --pid "$working" --out "$folder/out")"
  "$weir" describe recovery | sed -n '/failure/,$p' | head -3 >&2
  stop
done
