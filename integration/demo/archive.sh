# Part one of the demo: filter, shuffle, archive; kill -9 in the middle; replay out of the archive. Sourced by demo.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # what stage.sh sets

archive_and_replay() {
  local seed=42 kept=ADD_TO_CART,CART_UPDATED,CHECKOUT,ORDER_CONFIRMED,PAGE_VIEW,PRODUCT_VIEW,PURCHASE,REPLENISHMENT
  step "A datastream: $(grouped "$events") shop events, 8 of 20 event types kept, shuffled by subscriber, archived as Parquet"
  document shop <<YAML
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
  submit shop
  await "a third of the events" past shop-archive $((events / 3))

  step "kill -9 of tm-2 after $(grouped "$(rows_of shop-archive)") events; tm-3 comes in its place"
  kill_9 tm-2
  start_taskmanager tm-3
  wait_for shop
  echo "   restarts: $(asked shop-archive summary.restarts); an outsider sees $(files_in "$folder/archive") whole Parquet files, none half written"

  local from=1700000100000 to=1700000110000
  step "Replay of one event type and ten seconds of event time, from the archive into a file"
  document replay <<YAML
datastreamName: purchases-replayed
contactName: demo
desiredState: ON
sources:
  - archive: { path: "$folder/archive", eventTypes: [PURCHASE], from: $from, to: $to }
sinks:
  - file: { path: "$folder/replayed" }
YAML
  submit replay
  wait_for replay

  step "The same events made once more, without any engine, and looked for in the files by id and bytes"
  "$oracle" --generator "{\"events\":\"shop\",\"count\":$events,\"splits\":2,\"seed\":$seed}" --keep "$kept" \
    --archived "$folder/archive" --replayed "$folder/replayed" --replay-type PURCHASE --replay-from $from --replay-to $to \
    --summary "$folder/summary.tsv" | sed 's/^/   /'
}
