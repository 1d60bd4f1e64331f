#!/usr/bin/env bash
# What checkpoints cost: queries with one every second and with none, in turn; events a second of each, and their ratio.
#   checkpoints.sh WEIR [QUERY...]     EVENTS=10000000 REPS=3
set -euo pipefail
weir=$(realpath "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
work=${BENCH_WORK:-$HOME/.cache/weir-bench}
events=${EVENTS:-10000000}
queries=("$@")
[ $# -gt 0 ] || queries=(shop_tumble shop_dedup q17)
data_of() { case $1 in q*) echo "$work/data/nexmark-$events" ;; *) echo "$work/data/shop-$events" ;; esac; }
tsv=$(mktemp)
trap 'rm -f "$tsv"' EXIT
for query in "${queries[@]}"; do
  find "$(data_of "$query")" -type f -exec cat {} + >/dev/null # read once, so that no run waits for the disk
  for _ in $(seq "${REPS:-3}"); do
    for every in 1s 1h; do
      python3 "$here/run.py" --weir "$weir" --data "$(data_of "$query")" --out "$work/out" --events "$events" \
        --checkpoint $every "$query" 2>/dev/null | awk -v every=$every '{print every "\t" $0}' >>"$tsv"
    done
  done
done
python3 - "$tsv" <<'PY'
import collections, statistics, sys
runs = collections.defaultdict(list)
for line in open(sys.argv[1]):
    every, _, query, _, _, _, speed, *rest = line.rstrip("\n").split("\t")
    runs[query, every].append((float(speed), int(rest[7])))
print(f"{'query':<16}{'every second M/s':>18}{'none M/s':>10}{'ratio':>8}{'checkpoints':>13}")
for query in dict.fromkeys(query for query, _ in runs):
    with_, without = (statistics.median(speed for speed, _ in runs[query, every]) / 1e6 for every in ("1s", "1h"))
    taken = statistics.median(count for _, count in runs[query, "1s"])
    print(f"{query:<16}{with_:>18.2f}{without:>10.2f}{with_ / without:>7.0%}{taken:>13.0f}")
PY
