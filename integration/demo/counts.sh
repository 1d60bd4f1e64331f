# Part two of the demo: dedup and counts per company and minute; savepoint, rescale from 2 to 3, kill -9; then another
# datastream from the savepoint. Sourced by demo.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # what stage.sh sets

# 1,000 events a second of event time; one in twenty is a copy, one in a thousand comes 1 to 10 minutes late.
counted_events=720000
counted_options="events: shop, count: $counted_events, splits: 2, seed: 7, rate: 1000, duplicates: 0.05, late: 0.001"
counted_json="{\"events\":\"shop\",\"count\":$counted_events,\"seed\":7,\"rate\":1000,\"duplicates\":0.05,\"late\":0.001}"

counts_document() {
  cat <<YAML
datastreamName: $1
contactName: demo
desiredState: ON
parallelism: $2
checkpoint: { interval: 500ms }
sources:
  - name: events
    generator: { $counted_options, throughput: 60000 }
    format: { json: { schema: { eventId: string, companyId: int64, eventTime: timestamp } } }
    eventTime: { field: eventTime, maxOutOfOrderness: 4s }
steps:
  - dedup: { key: [eventId], within: 1h }
  - name: perMinute
    keyBy: [companyId]
    window: { tumbling: 1m }
    aggregate: { events: count(*) }
  - select: { companyId: companyId, starttime: window_start, events: events }
sinks:
  - name: counts
    file: { path: "$folder/$3" }
  - name: late
    input: perMinute.late
    file: { path: "$folder/$4" }
YAML
}

count_and_rescale() {
  step "Another one, with state: $(grouped $counted_events) events, copies dropped, counted per company and minute, late ones put aside"
  counts_document shop-counts 2 counts late | document counts
  submit counts
  start_taskmanager tm-4
  await "a quarter of the events" past shop-counts $((counted_events / 4))

  step "A savepoint after $(grouped "$(rows_of shop-counts)") events: a checkpoint with a name, whatever the datastream does afterwards"
  "$weir" savepoint shop-counts --as quarter 2>&1 | sed 's/^/   /'
  echo "   below $folder/state/savepoints: $(find "$folder/state/savepoints" -type f | wc -l) files"

  step "Rescale from 2 to 3 while it runs; a third task manager, tm-4, brings the slot"
  await "tm-4" has_joined tm-4
  "$weir" rescale shop-counts --parallelism 3 2>&1 | sed 's/^/   /'
  await "three subtasks of each step" is_wide 3
  echo "   subtasks of each step: 3, restarts: $(asked shop-counts summary.restarts)"

  await "half of the events" past shop-counts $((counted_events / 2))
  step "kill -9 of tm-1 after $(grouped "$(rows_of shop-counts)") events; its state goes with it, tm-5 takes it up from the last checkpoint"
  kill_9 tm-1
  start_taskmanager tm-5
  wait_for counts
  echo "   restarts: $(asked shop-counts summary.restarts); $(grouped "$(lines_in "$folder/counts")") counts in $(files_in "$folder/counts") files, $(lines_in "$folder/late") late events"

  step "An independent count: the same events, a set of seen ids, a map from company and minute to a number"
  "$counter" --generator "$counted_json" --counts "$folder/counts" --late "$folder/late" \
    --summary "$folder/summary.tsv" --title "counted, or late" | sed 's/^/   /'
}

begin_from_the_savepoint() {
  step "A datastream of another name begins from the savepoint, three wide: it owes the windows that were open then, whole, and all later ones"
  counts_document shop-counts-again 3 again again-late >"$folder/again.yaml"
  echo "   weir submit $folder/again.yaml --from-savepoint quarter"
  submit again --from-savepoint quarter
  wait_for again
  "$counter" --generator "$counted_json" --counts "$folder/again" --late "$folder/again-late" --since-savepoint \
    --summary "$folder/summary.tsv" --title "counted again from the savepoint" | sed 's/^/   /'
}

is_wide() {
  "$weir" describe shop-counts -o json | python3 -c "import json,sys; v=json.load(sys.stdin)
sys.exit(v['summary']['state'] != 'running' or any(x['parallelism'] != $1 for x in v['vertices']))"
}

has_joined() { curl -fs "$WEIR_CLUSTER/v1/cluster" | grep -q "\"$1\""; }
