#!/usr/bin/env python3
"""What people cost: `people.py WEIR [JOBS]`. A job manager with so many datastreams that wait for slots (200 unless given):
the time of REST's answers under load, then the page in a browser: weight, first paint, and the processor that a page costs
that is open and idle, its own and the job manager's. Prints rows of the table in docs/performance.md.

Everything is on loopback, bounded in number and time, and ended by its process id."""

import gzip
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
#: Requests of all callers together, and how many call at once.
REQUESTS, CALLERS = 4_000, 8
PATHS = ["/v1/datastreams", "/v1/summary", "/v1/cluster", "/v1/datastreams/job-{}", "/v1/datastreams/job-{}/logs",
         "/v1/health", "/jobs/overview", "/metrics"]

DOCUMENT = """datastreamName: job-{number}
contactName: team-{team}
desiredState: ON
parallelism: 2
sources:
  - generator: {{ events: shop }}
eventTypeFilters: [PURCHASE]
sinks:
  - blackhole: {{}}
"""


def until(what, condition, seconds=60):
    """Waits for a condition on a value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        threading.Event().wait(0.05)
    sys.exit(f"never: {what}")


def ask(address, path, method="GET", body=None):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request(method, path, body, {"Content-Type": "text/plain"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= 400:
        sys.exit(f"{path}: {answer.status} {text[:300]}")
    return text


def load(address, jobs):
    """The milliseconds of each answer, by path."""
    took = {path: [] for path in PATHS}
    lock = threading.Lock()

    def call(first):
        connection = http.client.HTTPConnection(address, timeout=30)
        for number in range(first, REQUESTS, CALLERS):
            path = PATHS[number % len(PATHS)]
            begun = time.perf_counter()
            connection.request("GET", path.format(number % jobs))
            answer = connection.getresponse()
            answer.read()
            one = (time.perf_counter() - begun) * 1000
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status}")
            with lock:
                took[path].append(one)
        connection.close()

    callers = [threading.Thread(target=call, args=(first,)) for first in range(CALLERS)]
    begun = time.perf_counter()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return took, REQUESTS / (time.perf_counter() - begun)


def at(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def ticks(pid):
    """Seconds of a processor that a process has used: proc(5)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def page(address, jobmanager):
    """The page in a browser: its figures, and what the job manager used meanwhile."""
    browser = os.environ.get("WEIR_BROWSER", str(pathlib.Path.home() / ".cache/weir-browser"))
    before, begun = ticks(jobmanager), time.perf_counter()
    script = subprocess.run(["node", HERE.parent / "ui/idle.mjs", f"http://{address}"], check=True, capture_output=True,
                            text=True, timeout=180, env={**os.environ, "WEIR_BROWSER": browser})
    spent = (ticks(jobmanager) - before) / (time.perf_counter() - begun)
    return json.loads(script.stdout.splitlines()[-1]), spent


def weight():
    """Bytes of the page's files as they travel."""
    ui = HERE.parent.parent / "jobmanager/ui"
    files = [path for path in ui.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"}]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in files), len(files)


def main():
    weir, jobs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory() as folder:
        ready = pathlib.Path(folder) / "ready.json"
        process = subprocess.Popen([weir, "jobmanager", "--state", f"{folder}/state", "--listen", "127.0.0.1:0",
                                    "--control", "127.0.0.1:0", "--ready-file", ready, "--log", "error"],
                                   stderr=subprocess.DEVNULL)
        try:
            until("the job manager is ready", ready.exists)
            address = json.loads(ready.read_text())["listen"]
            for first in range(0, jobs, 100):
                some = range(first, min(first + 100, jobs))
                text = "---\n".join(DOCUMENT.format(number=number, team=number % 9) for number in some)
                ask(address, "/v1/datastreams", "POST", text)
            idle = ticks(process.pid)
            threading.Event().wait(5)
            idle = (ticks(process.pid) - idle) / 5
            took, rate = load(address, jobs)
            every = [one for values in took.values() for one in values]
            shown, spent = page(address, process.pid)
        finally:
            process.terminate()
            process.wait(30)
    bytes_, files = weight()
    print(f"| {jobs} datastreams, {REQUESTS} requests by {CALLERS} callers | {rate:,.0f} requests/s, p50 {at(every, .5):.1f} ms, "
          f"p99 {at(every, .99):.1f} ms, longest {max(every):.1f} ms |")
    for path, values in took.items():
        print(f"| `{path}` | p50 {at(values, .5):.1f} ms, p99 {at(values, .99):.1f} ms |")
    print(f"| page, compressed | {bytes_ / 1000:.1f} kB in {files} files |")
    print(f"| first paint of the overview | {shown['firstPaintMs']:.0f} ms, rows after {shown['rowsMs']:.0f} ms |")
    print(f"| idle page | {shown['idleShare'] * 100:.1f} % of a core |")
    print(f"| job manager, nobody looks | {idle * 100:.1f} % of a core |")
    print(f"| job manager, the page is open | {spent * 100:.1f} % of a core |")


if __name__ == "__main__":
    main()
