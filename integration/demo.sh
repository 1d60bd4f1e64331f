#!/usr/bin/env bash
# A story in numbered steps on a cluster of real processes: archive and replay, then counts with a savepoint, a rescale and
# a kill -9; each output is compared with an independent count of the same events. Leaves nothing running.
#   integration/demo.sh [BINARY]     WEIR_DEMO_DIR=FOLDER  WEIR_DEMO_EVENTS=N
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/demo/stage.sh"
source "$here/demo/archive.sh"
source "$here/demo/counts.sh"

set_the_stage "${1:-$HOME/.cache/weir-target/release/weir}"
cat <<TEXT
Weir, shown on one machine: real processes, kill -9 without warning, and somebody outside who counts.
Everything is below $folder; what was there of an earlier demo is gone.
TEXT

start_the_cluster
archive_and_replay
count_and_rescale
begin_from_the_savepoint

step "What an outsider counted, in events"
print_table
cat <<TEXT

It took $SECONDS s. All processes are being stopped; nothing stays running.

Where to look
  $folder/archive         Parquet: one folder for each event type; any Parquet reader opens it
  $folder/replayed        the replayed purchases, as JSON lines
  $folder/counts          events of each company and minute; late ones in $folder/late
  $folder/again           the same from the savepoint on, by another datastream
  $folder/state           jobs/*/epochs: one immutable record for each checkpoint; savepoints
  $folder/*.yaml, *.log   the documents, and what each process said

What to try next
  export PATH=$(dirname "$weir"):\$PATH
  weir run $folder/replay.yaml --state $folder/mine --fresh      the same replay in one process
  weir state ls shop-counts --state $folder/state                the state in the last checkpoint
  weir jobmanager --state $folder/state --allow-path $folder &   the same cluster again; then
  weir list; weir describe shop-counts                           what it remembers
  weir dev                                                       a cluster in one process, with its page and streams to look at
  weir new file/parquet > mine.yaml                              a document of your own
  weir explain E0201                                             what an error code means
TEXT
