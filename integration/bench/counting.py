#!/usr/bin/env python3
"""What it costs to count what becomes of rows: two builds of `weir run` in turn on the same generated streams.

counting.py WITHOUT WITH [--events N] [--reps N]

WITHOUT is a build from before rows were counted, WITH one that counts. One line a stream: CPU seconds of each, the median of
the ratios pair by pair, and the same of wall seconds. Pairs stand side by side, so that a machine that drifts drifts for both.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HEAD = """datastreamName: counting
contactName: bench
desiredState: ON
parallelism: 2
checkpoint: { interval: 10s }
sources:
  - name: events
    generator: { events: shop, count: %d, splits: 2, seed: 1, rate: %d }
    eventTime: { field: eventTime }
"""
# Events a second of event time say how many minutes a batch has: one of them, or two hundred.
STREAMS = {
    "arrival": (1000, "eventTypeFilters: [PURCHASE, CHECKOUT, PAGE_VIEW]\nsinks:\n  - blackhole: {}\n"),
    "dedup": (1000, "steps:\n  - dedup: { key: [eventId], within: 10m }\nsinks:\n  - blackhole: {}\n"),
    "windows": (1000, "steps:\n  - keyBy: [companyId]\n    window: { tumbling: 1m }\n    aggregate: { n: count(*) }\n"
                      "sinks:\n  - blackhole: {}\n"),
    "wild": (1, "steps:\n  - keyBy: [companyId]\n    window: { tumbling: 1h }\n    aggregate: { n: count(*) }\n"
                "sinks:\n  - blackhole: {}\n"),
}


def once(weir, document, folder):
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    start = time.monotonic()
    process = subprocess.Popen([weir, "run", str(document), "--state", str(state)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{weir} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("without")
    parser.add_argument("with_")
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--reps", type=int, default=7)
    args = parser.parse_args()
    print("stream\tCPU without\tCPU with\tratio\twall without\twall with\tratio")
    for name, (rate, rest) in STREAMS.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            document = folder / "counting.yaml"
            document.write_text(HEAD % (args.events, rate) + rest)
            pairs = []
            for rep in range(args.reps + 1):
                order = [args.without, args.with_] if rep % 2 else [args.with_, args.without]
                took = {weir: once(weir, document, folder) for weir in order}
                if rep:  # the first pair warms up
                    pairs.append((took[args.without], took[args.with_]))
        columns = []
        for index in (0, 1):
            columns += [f"{statistics.median(pair[side][index] for pair in pairs):.2f}" for side in (0, 1)]
            columns.append(f"{statistics.median(with_[index] / without[index] for without, with_ in pairs):.3f}")
        print(name, *columns, sep="\t", flush=True)


main()
