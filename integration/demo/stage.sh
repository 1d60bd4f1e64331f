# The stage of the demo: what it needs, the cluster's processes, waiting for them, the table at the end. Sourced by demo.sh.
# shellcheck shell=bash

wrong() {
  printf 'demo: %s\n' "$1" >&2
  printf '  %s\n' "${@:2}" >&2
  exit 1
}

# Looks at everything the demo needs before anything starts.
set_the_stage() {
  [ "${BASH_VERSINFO[0]}" -ge 4 ] || wrong "this bash is version $BASH_VERSION, and 4 is needed" "on a Mac: brew install bash"
  weir=$1
  [ -x "$weir" ] || wrong "there is no program $weir" "run \`make demo\`, which builds it, or name the binary: $0 PATH/TO/weir"
  weir=$(realpath "$weir")
  oracle=$(dirname "$weir")/weir-oracle
  counter=$(dirname "$weir")/weir-counts
  for program in "$oracle" "$counter"; do
    [ -x "$program" ] || wrong "there is no program $program" "it is built beside weir: make build"
  done
  "$weir" --version >/dev/null 2>&1 || wrong "$weir does not run here: $("$weir" --version 2>&1 | tail -n 1)" "build it on this machine: make build"
  for program in python3 curl; do
    command -v $program >/dev/null || wrong "$program is missing; it asks and reads what the cluster says" "Debian: sudo apt-get install $program"
  done

  folder=${WEIR_DEMO_DIR:-${TMPDIR:-/tmp}/weir-demo}
  events=${WEIR_DEMO_EVENTS:-2000000}
  [[ $events =~ ^[0-9]+$ && $events -ge 1000000 ]] || wrong "WEIR_DEMO_EVENTS is $events" "a number of a million at least: with less the replayed seconds are not there, and it is over before anything can be killed"
  if [ -e "$folder" ] && [ ! -e "$folder/.weir-demo" ]; then
    wrong "$folder exists and is not of an earlier demo" "remove it, or set WEIR_DEMO_DIR to another folder"
  fi
  rm -rf "$folder" && mkdir -p "$folder" && touch "$folder/.weir-demo" || wrong "$folder cannot be written" "set WEIR_DEMO_DIR to a folder that can"
  folder=$(realpath "$folder")
  local free_mb
  free_mb=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free_mb" -ge 2000 ] || wrong "$free_mb MB are free in $folder, and the demo wants 2000" "free some, or set WEIR_DEMO_DIR to a folder on another disk"
  if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
  SECONDS=0
  trap leave_nothing_running EXIT
  trap 'exit 130' INT TERM
}

declare -A process=()   # process id by name: everything that runs in the background
number=0

step() {
  number=$((number + 1))
  printf '\n%s%d. %s%s  [%d s]\n' "$bold" "$number" "$*" "$plain" "$SECONDS"
}

leave_nothing_running() {
  local code=$? name deadline=$((SECONDS + 10))
  trap - EXIT INT TERM
  for name in "${!process[@]}"; do kill "${process[$name]}" 2>/dev/null || true; done
  for name in "${!process[@]}"; do
    while kill -0 "${process[$name]}" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.05; done
    kill -9 "${process[$name]}" 2>/dev/null || true
    wait "${process[$name]}" 2>/dev/null || true
  done
  if [ $code -ne 0 ]; then
    printf '\ndemo: it did not end well (exit code %d)\n  what each process said is in %s/*.log; the ends of them:\n' "$code" "$folder" >&2
    tail -n 5 "$folder"/*.log >&2 || true
  fi
  exit $code
}

# Waits until a command succeeds, for at most 60 seconds, and only while all processes live that should.
await() {
  local what=$1 deadline=$((SECONDS + 60)) name
  shift
  until "$@" >/dev/null 2>&1; do
    for name in "${!process[@]}"; do
      kill -0 "${process[$name]}" 2>/dev/null || too_late "$name" "$what"
    done
    [ $SECONDS -lt $deadline ] || wrong "waited 60 s for $what" "the words of all processes are in $folder/*.log"
    sleep 0.05
  done
}

too_late() {
  case $1 in
    submit-*) wrong "the datastream of ${1#submit-}.yaml ended while the demo waited for $2" "$(tail -n 1 "$folder/$1.log")" \
      "where it finished, this machine was too busy to do anything to it in time: try again when it is quieter" ;;
    *) wrong "$1 ended while the demo waited for $2" "its words are in $folder/$1.log" ;;
  esac
}

# One field out of JSON on standard input, such as summary.state.
field() { python3 -c "import json,sys; v=json.load(sys.stdin)
for key in sys.argv[1].split('.'): v=v[key]
print(v)" "$1"; }

asked() { "$weir" describe "$1" -o json | field "$2"; }
rows_of() { asked "$1" summary.progress.rowsIn; }
past() { [ "$(rows_of "$1")" -gt "$2" ]; }
is() { [ "$(asked "$1" summary.state)" = "$2" ]; }
grouped() { sed ':again; s/\B[0-9]\{3\}\>/,&/; t again' <<<"$1"; }
lines_in() { find "$1" -name '*.json*' -not -path '*/_weir/*' -exec cat {} + | wc -l; }
files_in() { find "$1" -type f -not -path '*/_weir/*' | wc -l; }

start_taskmanager() {
  "$weir" taskmanager --name "$1" --slots 1 --allow-path "$folder" --log info >"$folder/$1.log" 2>&1 &
  process[$1]=$!
}

# kill -9, without warning: no time to write anything, to say goodbye, or to clean up.
kill_9() {
  local pid=${process[$1]}
  unset "process[$1]"
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
}

start_the_cluster() {
  step "A job manager and two task managers"
  "$weir" jobmanager --state "$folder/state" --listen 127.0.0.1:0 --control 127.0.0.1:0 \
    --allow-path "$folder" --ready-file "$folder/jobmanager.json" --log info >"$folder/jobmanager.log" 2>&1 &
  process[jobmanager]=$!
  await "the job manager" test -s "$folder/jobmanager.json"
  WEIR_CLUSTER=http://$(field listen <"$folder/jobmanager.json")
  WEIR_CONTROL=$(field control <"$folder/jobmanager.json")
  export WEIR_CLUSTER WEIR_CONTROL
  start_taskmanager tm-1
  start_taskmanager tm-2
  echo "   job manager at $WEIR_CLUSTER (pid ${process[jobmanager]}), task managers tm-1 (pid ${process[tm-1]}) and tm-2 (pid ${process[tm-2]})"
}

document() {
  cat >"$folder/$1.yaml"
  sed 's/^/   | /' "$folder/$1.yaml"
}

# A datastream in the background until it has ended; wait_for it.
submit() {
  "$weir" submit "$folder/$1.yaml" --wait "${@:2}" >"$folder/submit-$1.log" 2>&1 &
  process[submit-$1]=$!
}

wait_for() {
  local pid=${process[submit-$1]}
  unset "process[submit-$1]"
  wait "$pid" || wrong "$1 did not end well" "$(tail -n 3 "$folder/submit-$1.log")"
  sed 's/^/   /' "$folder/submit-$1.log"
}

print_table() {
  printf '   %-34s%12s%12s%10s%10s%8s\n' '' expected found missing doubled wrong
  local title expected found missing doubled wrong_ones
  while IFS=$'\t' read -r title expected found missing doubled wrong_ones; do
    printf '   %-34s%12s%12s%10s%10s%8s\n' "$title" "$(grouped "$expected")" "$(grouped "$found")" "$missing" "$doubled" "$wrong_ones"
  done <"$folder/summary.tsv"
}
