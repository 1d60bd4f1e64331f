#!/usr/bin/env bash
# Weir and Flink on the same files, in turn, never at the same time; beside them what the work costs with no engine around it.
# From a plain clone it measures Weir alone, on files that Weir's own generator makes.
# shuffle_filter is Weir alone, as one process and as a cluster of two task managers, with both sinks: the price of the wire.
# Queries that keep state run against both of Flink's backends. That their results are the same is check.sh's business: how many
# changes a blackhole counts depends on how rows fell into batches.
#   compare.sh WEIR   with EVENTS=10000000 REPS=3 QUERIES="maestro_filter raw_pass q0 q1 q2 q21 q22 shuffle_filter"
#   QUERIES="shop_tumble shop_sessions shop_dedup keyed_count q5 q7 q11 q15 q16 q17 q18 q19" BACKENDS="rocksdb hashmap"
set -euo pipefail
weir=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
export BENCH_WORK=${BENCH_WORK:-$HOME/.cache/weir-bench}
events=${EVENTS:-10000000} all=${EVENTS:-10000000}
reps=${REPS:-3}
read -ra queries <<<"${QUERIES:-maestro_filter raw_pass q0 q1 q2 q21 q22 shuffle_filter}"
harness=$(realpath -m "${HARNESS:-$here/../../../shared/bench}")
tsv=$BENCH_WORK/results.tsv
mkdir -p "$BENCH_WORK"
: >"$tsv"

# The same bytes as the harness' generator makes: each source split is one file.
make_data() {
  local name=$1 options=$2 target=$3
  [ -e "$target/.done-$events" ] && return
  rm -rf "$target" "$BENCH_WORK/make" && mkdir -p "$target"
  cat >"$BENCH_WORK/make.yaml" <<YAML
datastreamName: make-$name
contactName: bench
desiredState: ON
parallelism: 2
sources:
  - generator: { $options, count: $events, splits: 2, seed: 42 }
    format: raw
sinks:
  - file: { path: "$target", roll: { size: 4GiB, every: 1h } }
YAML
  "$weir" run "$BENCH_WORK/make.yaml" --state "$BENCH_WORK/make" --fresh >/dev/null
  touch "$target/.done-$events"
}

folder_of() { case $1 in q*) echo "$nexmark" ;; keyed_count) echo "$keys" ;; *) echo "$shop" ;; esac; }
sink_of() { case $1 in maestro_filter | raw_pass) echo json ;; *) echo blackhole ;; esac; }
case_of() {
  case $1 in
    maestro_filter) echo filter ;; raw_pass) echo pass ;; shop_tumble) echo tumble ;; keyed_count) echo count ;;
    q*) echo parse ;; *) echo - ;;
  esac
}
# Two rows a key.
events_of() { case $1 in keyed_count) echo $((2 * all)) ;; *) echo "$all" ;; esac; }
keeps_state() { case $1 in shop_* | keyed_count | q5 | q7 | q11 | q1[5-9]) return 0 ;; *) return 1 ;; esac; }
# Flink's own sink names: raw lines for raw_pass.
flink_sink_of() { case $1 in raw_pass) echo raw ;; *) sink_of "$1" ;; esac; }

# One line a run of Weir; the query's name says the sink where there are two.
weir_run() {
  local query=$1 name=$2 rep=$3
  shift 3
  python3 "$here/run.py" --weir "$weir" --data "$data" --out "$BENCH_WORK/out" --events "$events" "$@" "$query" |
    awk -v OFS='\t' -v q="$name" -v r="$rep" '{$2 = q; $3 = r; print}' FS='\t' | tee -a "$tsv"
}

# What the work costs with no engine around it, where somebody has written that.
limit_run() {
  local lines=$data
  [ "$(case_of "$1")" = - ] && return
  [ -d "$data/mixed" ] && lines=$data/mixed
  "$BENCH_WORK/target/release/limit" "$(case_of "$1")" "$lines" "$BENCH_WORK/limit-out" |
    awk -v OFS='\t' -v q="$1" -v r="$2" '{print "limit", q, r, $2, $3, $4, $5, "-", $6, "-", $3, 0, 0, 0, $1}' | tee -a "$tsv"
  rm -rf "$BENCH_WORK/limit-out"
}

flink=false
if [ -x "$harness/flink/run.sh" ]; then
  flink=true
  "$harness/gen/build.sh" && "$harness/limit/build.sh"
  [ -e "$BENCH_WORK/bench.jar" ] || "$harness/flink/install.sh"
  shop=$BENCH_WORK/data/shop-$events nexmark=$BENCH_WORK/data/nexmark-$events keys=$BENCH_WORK/data/keys-$events
  benchgen=$BENCH_WORK/target/release/benchgen
  [ -d "$shop" ] || "$benchgen" shop --events "$events" --seed 42 --duplicates 0.02 --out "$shop"
  [ -d "$nexmark" ] || "$benchgen" nexmark --events "$events" --seed 42 --layout mixed --out "$nexmark"
  [ -d "$keys" ] || "$benchgen" keys --events $((2 * events)) --keys "$events" --seed 42 --out "$keys"
  export TM_MEM=${TM_MEM:-1728m}
  trap '"$harness/flink/cluster.sh" stop' EXIT
else
  shop=$BENCH_WORK/data/shop-own nexmark=$BENCH_WORK/data/nexmark-own keys=$BENCH_WORK/data/keys-own
  make_data shop "events: shop, duplicates: 0.02" "$shop"
  make_data nexmark "events: nexmark" "$nexmark/mixed"
fi

printf 'system\tquery\trep\tevents\tseconds\tevents_per_s\tcpu_s\tpeak_rss_mb\toutput_rows\tdigest\tjob_s\tsubmit_s\tother_cpu_s\tcheckpoints\tnote\n'
for query in "${queries[@]}"; do
  data=$(folder_of "$query") sink=$(sink_of "$query")
  find "$data" -type f -exec cat {} + >/dev/null # read once, so that no run waits for the disk
  digest=(); if $flink; then digest=(--digest "$benchgen"); fi
  if [ "$query" = shuffle_filter ]; then
    for rep in $(seq "$reps"); do
      for sink in blackhole json; do
        weir_run "$query" "$query:$sink" "$rep" --sink "$sink" "${digest[@]}"
        weir_run "$query" "$query:$sink" "$rep" --sink "$sink" "${digest[@]}" --cluster
      done
    done
    continue
  fi
  events=$(events_of "$query")
  backends=rocksdb
  if keeps_state "$query"; then backends=${BACKENDS:-rocksdb hashmap}; fi
  for backend in $backends; do
    $flink && BACKEND=$backend "$harness/flink/cluster.sh" start >&2
    for rep in $(seq "$reps"); do
      if $flink; then
        name=flink; [ "$backend" = hashmap ] && name=flink-heap
        # A backend that gives up is a result as well: a line less.
        { "$harness/flink/run.sh" --data "$data" --events "$events" --reps 1 --sink "$(flink_sink_of "$query")" "$query" || true; } |
          awk -v OFS='\t' -v s="$name" '{$1 = s; print}' FS='\t' | tee -a "$tsv"
        limit_run "$query" "$rep"
      fi
      weir_run "$query" "$query" "$rep" --sink "$sink" "${digest[@]}"
    done
    $flink && "$harness/flink/cluster.sh" stop
  done
done
python3 "$here/summary.py" "$tsv"
