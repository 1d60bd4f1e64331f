"""Runs one document on a job manager and two task managers, as processes of this machine, and measures all three."""
import json
import os
import pathlib
import subprocess
import sys
import time

READY_S = 30
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(process):
    """User and system time so far: fields 14 and 15 of proc(5), counted behind the name, which may hold anything."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) // 1024


def loopback_bytes():
    line = next(line for line in open("/proc/net/dev") if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


def crossed_bytes(described):
    """Bytes of rows whose sender and receiver are on different task managers; keys spread them alike over all senders."""
    names = {vertex["id"]: vertex["subtasks"] for vertex in described["vertices"]}
    crossed = 0
    for edge in described["edges"]:
        if edge["partition"] != "hash":
            continue
        receivers = names[edge["to"]]
        rows = sum(receiver["recordsIn"] for receiver in receivers) or 1
        for sender in names[edge["from"]]:
            away = sum(one["recordsIn"] for one in receivers if one["taskManager"] != sender["taskManager"])
            crossed += sender["bytesOut"] * away / rows
    return crossed


class Cluster:
    """The three processes; ended, each by its own id, when the block is left."""

    def __init__(self, weir, folder, allowed):
        self.weir, self.folder, self.processes = weir, folder, []
        self.paths = [word for path in allowed for word in ("--allow-path", str(path))]

    def start(self, name, *command):
        log = open(self.folder / f"{name}.log", "w")
        self.processes.append(subprocess.Popen([self.weir, *command, *self.paths], stdout=log, stderr=log))

    def __enter__(self):
        try:
            return self.begin()
        except BaseException:
            self.__exit__()
            raise

    def begin(self):
        ready = self.folder / "ready.json"
        none = "127.0.0.1:0"
        self.start("jobmanager", "jobmanager", "--state", str(self.folder / "state"), "--listen", none, "--control", none,
                   "--ready-file", str(ready))
        self.until("the job manager is ready", ready.exists)
        addresses = json.loads(ready.read_text())
        self.url = f"http://{addresses['listen']}"
        for name in ("tm-1", "tm-2"):
            self.start(name, "taskmanager", "--name", name, "--jobmanager", addresses["control"])
        # A job that takes both shows that both are there.
        probe = self.folder / "probe.yaml"
        probe.write_text("datastreamName: probe\ncontactName: bench\ndesiredState: ON\nparallelism: 2\n"
                         "sources: [{ generator: { events: shop, count: 10, splits: 2 } }]\nsinks: [{ blackhole: {} }]\n")
        self.ask("submit", str(probe), "--wait")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def until(self, what, look):
        deadline = time.monotonic() + READY_S
        while not look():
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                sys.exit(f"waited until {what}; the logs are in {self.folder}")
            time.sleep(0.01)

    def ask(self, *words):
        command = [self.weir, *words, "--cluster", self.url, "-o", "json"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)

    def cpu(self):
        return sum(cpu_seconds(process) for process in self.processes)


def run(args, document, out):
    """What `describe` says at the end, seconds, CPU seconds, peak memory in MiB, and a note."""
    with Cluster(args.weir, out, [out, args.data]) as cluster:
        name = next(line.split(":")[1].strip() for line in document.read_text().splitlines() if line.startswith("datastreamName:"))
        cpu, loopback, start = cluster.cpu(), loopback_bytes(), time.monotonic()
        cluster.ask("submit", str(document), "--wait")
        seconds = time.monotonic() - start
        cpu, loopback = cluster.cpu() - cpu, loopback_bytes() - loopback
        described = cluster.ask("describe", name)
        if described["summary"]["state"] != "finished":
            sys.exit(f"{document}: {described['summary']}")
        wire = crossed_bytes(described)
        peak = sum(peak_mib(process) for process in cluster.processes)
        note = f" wire_mb={wire / 1e6:.0f} wire_mb_per_s={wire / 1e6 / seconds:.0f} loopback_mb={loopback / 1e6:.0f}"
        return described, seconds, cpu, peak, note
