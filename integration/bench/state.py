#!/usr/bin/env python3
"""State larger than memory: a count of 20 million keys in 256 MiB, and what that costs. One command, about three minutes.

state.py WEIR [--keys N] [--again N] [--memory MIB] [--work DIR] [--interval S]

Each key comes once, in scrambled order, and the first `again` of them come a second time, when they have long been on
disk; one global window gives every key at the end. The result is compared key by key with a count of the same files made
here. Printed as one JSON document: seconds, CPU seconds, peak memory (and what of it was ours: anonymous), the largest
size of the spilled state and of the checkpoints on disk, the bytes of a whole checkpoint and of what each added, and how
long they took. Exit 1 where a key is missing, given twice or wrong.
"""
import argparse
import array
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

ROW_IN = re.compile(rb'\{"k":(\d+),"v":(\d+)\}')
VALUES = 1000
# The share of the memory number that is the state's where there is one step with tables, one reader and one sink:
# 10/16 less the 20 MiB of the reader and the sink (taskmanager/src/memory).
STATE_SHARE, OTHERS_MIB = 16 / 10, 20

DOCUMENT = """datastreamName: many-keys
contactName: bench
desiredState: ON
parallelism: 1
checkpoint: {{ interval: {interval}s }}
sources:
  - file: {{ path: "{data}" }}
    format: {{ json: {{ schema: {{ k: int64, v: int64 }} }} }}
steps:
  - keyBy: [k]
    window: global
    aggregate: {{ n: count(*), s: sum(v) }}
sinks:
  - file: {{ path: "{out}" }}
"""


def make(folder, keys, again):
    """Two files; the step between one key and the next has no divisor in common with their number."""
    done = folder / f"done-{keys}-{again}"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    step = 7_368_787  # a prime
    assert keys % step != 0
    half = (keys + again) // 2
    for part, span in enumerate((range(half), range(half, keys + again))):
        with open(folder / f"part-{part}.json", "w") as file:
            for begin in range(span.start, span.stop, 100_000):
                stop = min(begin + 100_000, span.stop)
                lines = [f'{{"k":{i % keys * step % keys},"v":{i % VALUES}}}\n' for i in range(begin, stop)]
                file.write("".join(lines))
    done.touch()


def pieces(path):
    """The file in pieces of whole lines."""
    with open(path, "rb") as file:
        while piece := file.read(1 << 24):
            yield piece + file.readline()


def count(folder, keys):
    counts, sums = array.array("I", bytes(4 * keys)), array.array("Q", bytes(8 * keys))
    for path in sorted(folder.glob("part-*.json")):
        for piece in pieces(path):
            for k, v in ROW_IN.findall(piece):
                k = int(k)
                counts[k] += 1
                sums[k] += int(v)
    return counts, sums


def compare(folder, counts, sums):
    """How many keys are missing, given twice, or wrong. What was given is taken off the counts."""
    fields = [re.compile(rb'"%s":(\d+)' % name) for name in (b"k", b"n", b"s")]
    row = re.compile(rb'"k":(\d+)[^}\n]*?"n":(\d+)[^}\n]*?"s":(\d+)')
    twice = wrong = rows = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "_weir" not in path.parts):
        for piece in pieces(path):
            found = row.findall(piece)
            if len(found) != piece.count(b"\n"):  # columns in another order
                found = list(zip(*(field.findall(piece) for field in fields)))
            rows += len(found)
            for k, n, s in found:
                k = int(k)
                if k >= len(counts):
                    wrong += 1
                elif counts[k] == 0:
                    twice += 1
                else:
                    wrong += counts[k] != int(n) or sums[k] != int(s)
                    counts[k] = 0
    return {"rows": rows, "missing": sum(1 for n in counts if n), "twice": twice, "wrong": wrong}


def size(folder):
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


class Watch(threading.Thread):
    """Looks at the process and its folders twice a second, and at the newest checkpoint once in a while."""

    def __init__(self, process, weir, scratch, state):
        super().__init__(daemon=True)
        self.process, self.weir, self.scratch, self.state = process, weir, scratch, state
        self.over = threading.Event()
        self.anonymous = self.spilled = self.kept = self.whole = self.entries = 0
        self.cuts = {}

    def run(self):
        turn = 0
        while not self.over.wait(0.5):
            turn += 1
            try:
                text = open(f"/proc/{self.process.pid}/status").read()
            except (FileNotFoundError, ProcessLookupError):
                return
            found = re.search(r"RssAnon:\s+(\d+)", text)
            self.anonymous = max(self.anonymous, int(found.group(1)) if found else 0)
            self.spilled = max(self.spilled, size(self.scratch))
            self.kept = max(self.kept, size(self.state))
            for path in self.state.rglob("*.cut"):
                try:
                    self.cuts.setdefault(path.name, path.stat().st_size)
                except FileNotFoundError:
                    pass
            if turn % 10 == 0:
                self.look()

    def look(self):
        command = [self.weir, "state", "ls", "many-keys", "--state", str(self.state), "-o", "json"]
        asked = subprocess.run(command, capture_output=True, text=True)
        if asked.returncode == 0:
            rows = json.loads(asked.stdout)
            self.whole = max(self.whole, sum(row["bytes"] for row in rows))
            self.entries = max(self.entries, sum(row["entries"] for row in rows))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weir")
    parser.add_argument("--keys", type=int, default=20_000_000)
    parser.add_argument("--again", type=int, default=2_000_000)
    parser.add_argument("--memory", type=int, default=256, help="MiB of state")
    parser.add_argument("--interval", type=int, default=10, help="seconds between checkpoints")
    parser.add_argument("--work", default=os.path.expanduser("~/.cache/weir-bench/state"))
    args = parser.parse_args()
    work = pathlib.Path(args.work)
    data, out, state, scratch = work / "data", work / "out", work / "checkpoints", work / "scratch"
    make(data, args.keys, args.again)
    for folder in (out, state, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    document = work / "many-keys.yaml"
    document.write_text(DOCUMENT.format(interval=args.interval, data=f"{data}/part-*.json", out=out))
    memory = round((args.memory + OTHERS_MIB) * STATE_SHARE)
    command = [args.weir, "run", str(document), "--state", str(state), "--memory", f"{memory}MiB", "-o", "json"]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(scratch)})
    watch = Watch(process, args.weir, scratch, state)
    watch.start()
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    watch.over.set()
    watch.join()
    if status != 0:
        reason = json.loads(printed)["summary"]["reason"] if printed.strip() else "it says why above"
        sys.exit(f"weir ended with {os.waitstatus_to_exitcode(status)}: {reason}")
    history = [one for one in json.loads(printed)["checkpoints"]["history"] if not one["aborted"]]
    durations = sorted(one["durationMs"] for one in history) or [0]
    sizes = sorted(watch.cuts.values()) or [0]
    counts, sums = count(data, args.keys)
    outcome = compare(out, counts, sums)
    result = {
        "keys": args.keys,
        "events": args.keys + args.again,
        "stateMemoryMiB": args.memory,
        "memoryMiB": memory,
        "seconds": round(seconds, 1),
        "eventsPerSecond": round((args.keys + args.again) / seconds),
        "cpuSeconds": round(used.ru_utime + used.ru_stime, 1),
        "peakRssMiB": used.ru_maxrss // 1024,
        "peakAnonymousMiB": watch.anonymous // 1024,
        "spilledMiB": watch.spilled >> 20,
        "checkpointsOnDiskMiB": watch.kept >> 20,
        "fullCheckpointMiB": watch.whole >> 20,
        "fullCheckpointEntries": watch.entries,
        "stateFiles": len(watch.cuts),
        "stateFilesWrittenMiB": sum(watch.cuts.values()) >> 20,
        "incrementalMiBPerCheckpoint": round(sum(watch.cuts.values()) / (1 << 20) / max(len(history), 1), 1),
        "largestStateFileMiB": sizes[-1] >> 20,
        "checkpoints": len(history),
        "checkpointMsMedian": durations[len(durations) // 2],
        "checkpointMsMax": durations[-1],
        "result": outcome,
    }
    print(json.dumps(result, indent=2))
    bad = outcome["missing"] + outcome["twice"] + outcome["wrong"]
    sys.exit(1 if bad else 0)


main()
