#!/usr/bin/env bash
# Whether the queries that keep state give the right rows, on the harness' check sets of a million events. What is right is said by
# its plain Python (truth.py), or by Flink where that has no answer.
#   check.sh WEIR [QUERY...]
set -euo pipefail
weir=$(realpath "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
export BENCH_WORK=${BENCH_WORK:-$HOME/.cache/weir-bench}
harness=$(realpath -m "${HARNESS:-$here/../../../shared/bench}")
[ -x "$harness/gen/data.sh" ] || { echo "check: no harness at $harness" >&2; exit 1; }
queries=("$@")
[ $# -gt 0 ] || queries=(shop_tumble shop_sessions shop_dedup keyed_count q5 q7 q11 q15 q16 q17 q18 q19)
data=$BENCH_WORK/data truth=$BENCH_WORK/truth benchgen=$BENCH_WORK/target/release/benchgen
[ -x "$benchgen" ] || "$harness/gen/build.sh"
[ -d "$data/keys-1m" ] || "$harness/gen/data.sh" check
if [ ! -e "$truth/.done" ]; then
  python3 "$harness/truth/truth.py" "$data" "$truth"
  touch "$truth/.done"
fi

set_of() { case $1 in q*) echo nexmark-1m ;; keyed_count) echo keys-1m ;; *) echo shop-1m ;; esac; }

# Rows and digest of the right answer.
expected() {
  if [ -e "$truth/$1.json" ]; then
    "$benchgen" digest "$truth/$1.json" | cut -f2,3
    return
  fi
  if [ ! -e "$truth/$1.flink" ]; then
    [ -e "$BENCH_WORK/bench.jar" ] || "$harness/flink/install.sh" >&2
    "$harness/flink/cluster.sh" start >&2
    trap '"$harness/flink/cluster.sh" stop' EXIT
    "$harness/flink/run.sh" --data "$data/$(set_of "$1")" --events 1000000 --sink verify "$1" | cut -f9,10 >"$truth/$1.flink"
  fi
  cat "$truth/$1.flink"
}

wrong=0
for query in "${queries[@]}"; do
  right=$(expected "$query")
  found=$(python3 "$here/run.py" --weir "$weir" --data "$data/$(set_of "$query")" --out "$BENCH_WORK/out" --events 1000000 \
    --sink verify --digest "$benchgen" "$query" 2>/dev/null | cut -f9,10)
  if [ "$right" = "$found" ]; then verdict=equal; else verdict="DIFFERENT: found $found" wrong=1; fi
  printf '%-16s %-45s %s\n' "$query" "$right" "$verdict"
done
exit $wrong
