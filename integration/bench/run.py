#!/usr/bin/env python3
"""Runs queries with `weir run` and prints one TSV line a run, in the columns of the Flink harness.

run.py --weir BIN --data DIR --out DIR --events N [--reps N] [--sink json|blackhole|verify] [--digest BENCHGEN] [--cluster] [--checkpoint 1s] QUERY...

verify writes a change log of the columns that do not depend on the order of arrival (`# verify:` in the query), for a digest of the final table.

seconds is the time of the whole process: from its start to its exit, the last checkpoint and commit included.
CPU and peak memory are what the kernel counted for the process (wait4).
The note says how large the state in the newest checkpoint is, how much all of them have written, and how long they took.
With --cluster it runs on a job manager and two task managers instead, as `weir-2tm`: seconds are from the submission
to the end of the job, CPU and peak memory the sums of the three processes, and the note says how much crossed the wire.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the scripts
import cluster

HERE = pathlib.Path(__file__).parent
SINKS = {"blackhole": "blackhole: {}", "json": 'file: { path: "%s" }', "verify": 'file: { path: "%s", changelog: true }'}
VERIFIED = re.compile(r"^# verify: (.*)$", re.MULTILINE)


def busy():
    fields = open("/proc/stat").readline().split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")


def alone(args, document, out):
    """One process: what it said, seconds, CPU seconds, peak memory in MiB, note."""
    command = [args.weir, "run", str(document), "--state", str(out / "state"), "-o", "json"]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"{document}: weir ended with {os.waitstatus_to_exitcode(status)}")
    result = json.loads(printed)
    note = snapshots(args.weir, result, out / "state" / result["summary"]["name"])
    return result, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, note


def snapshots(weir, result, state):
    command = [weir, "state", "ls", result["summary"]["name"], "--state", str(state), "-o", "json"]
    newest = sum(step["bytes"] for step in json.loads(subprocess.check_output(command)))
    files = (path for path in state.rglob("state/**/*") if path.is_file())
    written = sum(path.stat().st_size for path in files)
    took = sorted(one["durationMs"] for one in result["checkpoints"]["history"] if one["aborted"] is None)
    if not took:
        return ""
    return f" {newest / 1e6:.1f} MB of {written / 1e6:.1f} written, {took[len(took) // 2]} ms, at most {took[-1]}"


def document_of(args, query, out):
    """The query with its data and its sink put in, as a file."""
    sink = SINKS[args.sink].replace("%s", str(out / "rows"))
    text = (HERE / "queries" / f"{query}.yaml").read_text()
    columns = VERIFIED.search(text)
    if args.sink == "verify" and columns:
        text = text.replace("sinks:\n", f"  - select: {columns[1]}\nsinks:\n")
    if args.checkpoint:
        text = text.replace("interval: 10s", f"interval: {args.checkpoint}")
    document = out / "datastream.yaml"
    document.write_text(text.replace("${DATA}", args.data).replace("${SINK}", sink))
    return document


def run(args, query, rep):
    out = pathlib.Path(args.out) / query
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    document = document_of(args, query, out)
    before = busy()
    go = cluster.run if args.cluster else alone
    result, seconds, cpu, peak, note = go(args, document, out)
    others = max(busy() - before - cpu, 0)
    rows, digest = str(result["summary"]["progress"]["rowsOut"]), "-"
    if args.sink != "blackhole" and args.digest:
        columns = subprocess.check_output([args.digest, "digest", str(out / "rows")], text=True).split("\t")
        rows, digest = columns[1], columns[2]
    line = [
        "weir-2tm" if args.cluster else "weir", query, rep, args.events, f"{seconds:.3f}", f"{args.events / seconds:.0f}",
        f"{cpu:.2f}", peak, rows, digest, f"{seconds:.3f}", "0.000", f"{others:.2f}", result["checkpoints"]["completed"],
        args.sink + note,
    ]
    print(*line, sep="\t", flush=True)
    shutil.rmtree(out)


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--weir", "--data", "--out"):
        parser.add_argument(flag, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--reps", type=int, default=1)
    parser.add_argument("--sink", choices=SINKS, default="blackhole")
    parser.add_argument("--digest")
    parser.add_argument("--checkpoint", help="an interval in place of the query's 10s")
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("queries", nargs="+")
    args = parser.parse_args()
    for rep in range(1, args.reps + 1):
        for query in args.queries:
            run(args, query, rep)


main()
