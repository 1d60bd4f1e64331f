#!/usr/bin/env bash
# The main job of Weir on real processes: generate, filter, shuffle, archive; kill -9 in the middle; replay; prove it exact.
set -euo pipefail
weir=$(realpath "$1")
oracle=$(dirname "$weir")/weir-oracle
folder=${WEIR_DEMO_DIR:-${TMPDIR:-/tmp}/weir-demo}
events=${WEIR_DEMO_EVENTS:-3000000}
seed=42
kept=ADD_TO_CART,CART_UPDATED,CHECKOUT,ORDER_CONFIRMED,PAGE_VIEW,PRODUCT_VIEW,PURCHASE,REPLENISHMENT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

pids=()
finish() {
  local code=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  if [ $code -ne 0 ]; then
    echo "demo: failed; the logs of all processes are in $folder/*.log" >&2
    tail -n 5 "$folder"/*.log >&2 || true
  fi
}
trap finish EXIT

# Waits until a command succeeds, for at most 30 seconds.
await() {
  local what=$1 deadline=$((SECONDS + 30)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "demo: waited 30 s for $what" >&2; exit 1; }
    sleep 0.05
  done
}

field() { python3 -c "import json,sys; v=json.load(sys.stdin)
for key in sys.argv[1].split('.'): v=v[key]
print(v)" "$1"; }

if [ -e "$folder" ] && [ ! -e "$folder/.weir-demo" ]; then
  echo "demo: $folder exists and is not of an earlier demo: remove it, or set WEIR_DEMO_DIR" >&2
  exit 1
fi
rm -rf "$folder" && mkdir -p "$folder" && touch "$folder/.weir-demo"

say "1. A job manager and two task managers"
"$weir" jobmanager --state "$folder/state" --listen 127.0.0.1:0 --control 127.0.0.1:0 \
  --allow-path "$folder" --ready-file "$folder/jobmanager.json" --log info >"$folder/jobmanager.log" 2>&1 &
pids+=($!)
await "the job manager" test -s "$folder/jobmanager.json"
export WEIR_CLUSTER=http://$(field listen <"$folder/jobmanager.json")
export WEIR_CONTROL=$(field control <"$folder/jobmanager.json")
declare -A taskmanager
start_taskmanager() {
  "$weir" taskmanager --name "$1" --slots 1 --allow-path "$folder" --log info >"$folder/$1.log" 2>&1 &
  taskmanager[$1]=$!
  pids+=($!)
}
start_taskmanager tm-1
start_taskmanager tm-2
echo "job manager at $WEIR_CLUSTER, task managers tm-1 (pid ${taskmanager[tm-1]}) and tm-2 (pid ${taskmanager[tm-2]})"

say "2. A datastream: $events shop events from two splits, 8 of 20 event types, shuffled by subscriber, archived as Parquet"
cat >"$folder/shop.yaml" <<YAML
datastreamName: shop-archive
contactName: demo
desiredState: ON
parallelism: 2
sources:
  - generator: { events: shop, count: $events, splits: 2, seed: $seed, throughput: 400000 }
    eventTime: { field: eventTime }
eventTypeFilters: [${kept//,/, }]
sinks:
  - name: archive
    keyBy: [subscriberId]
    parquet: { path: "$folder/archive", partitionBy: [eventType], roll: { size: 64MiB, every: 5s } }
YAML
cat "$folder/shop.yaml"
"$weir" submit "$folder/shop.yaml" --wait >"$folder/submit.log" 2>&1 &
submitted=$!

rows() { "$weir" describe shop-archive -o json | field summary.progress.rowsIn; }
past_a_third() { [ "$(rows)" -gt $((events / 3)) ]; }
await "a third of the events" past_a_third
say "3. kill -9 of tm-2 after $(rows) events, and another one in its place"
kill -9 "${taskmanager[tm-2]}"
start_taskmanager tm-3
wait "$submitted"
cat "$folder/submit.log"
"$weir" describe shop-archive

say "4. Replay of one event type and ten seconds of event time, from the archive into a file"
from=1700000100000
to=1700000110000
cat >"$folder/replay.yaml" <<YAML
datastreamName: purchases-replayed
contactName: demo
desiredState: ON
sources:
  - archive: { path: "$folder/archive", eventTypes: [PURCHASE], from: $from, to: $to }
sinks:
  - file: { path: "$folder/replayed" }
YAML
cat "$folder/replay.yaml"
"$weir" submit "$folder/replay.yaml" --wait

say "5. What an outsider finds in the files, compared with the generator's events by unique ids and bytes"
"$oracle" --generator "{\"events\":\"shop\",\"count\":$events,\"splits\":2,\"seed\":$seed}" --keep "$kept" \
  --archived "$folder/archive" --replayed "$folder/replayed" --replay-type PURCHASE --replay-from $from --replay-to $to

say "Where to look"
cat <<TEXT
  $folder/archive       Parquet: one folder for each event type; any Parquet reader opens it
  $folder/replayed      the replayed purchases, as JSON lines
  $folder/state         the chain of epochs, one immutable record for each checkpoint
  $folder/*.log         what each process said
What to try next
  $weir run $folder/replay.yaml --state $folder/mine --fresh      the same replay in one process
  $weir new file/parquet > mine.yaml                              a document of your own
  $weir explain E0201                                             what an error code means
TEXT
