#!/usr/bin/env python3
"""Medians of a results file and their ratios: events a second, CPU seconds per million events, peak memory, equal results;
and, where a query ran as a cluster too, the price of the wire."""
import collections
import statistics
import sys

runs = collections.defaultdict(list)
for line in open(sys.argv[1]):
    fields = line.rstrip("\n").split("\t")
    runs[fields[1], fields[0]].append(fields)


def median(query, system, column):
    values = [float(run[column]) for run in runs.get((query, system), []) if run[column] != "-"]
    return statistics.median(values) if values else None


def show(value, form):
    return "-" if value is None else form.format(value)


print(f"{'query':<16}{'weir M/s':>10}{'flink M/s':>10}{'heap M/s':>10}{'ratio':>8}{'limit M/s':>10}{'of limit':>9}"
      f"{'cpu/M':>8}{'flink':>8}{'RSS MB':>8}{'flink':>8}  results")
queries = list(dict.fromkeys(query for query, _ in runs))
wired = [query for query in queries if (query, "weir-2tm") in runs]
for query in queries:
    speed = {system: median(query, system, 5) for system in ("weir", "flink", "flink-heap", "limit")}
    # Flink's better backend is what Weir is compared with.
    best = max(("flink", "flink-heap"), key=lambda system: speed[system] or 0)
    cpu = {"weir": median(query, "weir", 6), "flink": median(query, best, 6)}
    events = median(query, "weir", 3)
    rss = {"weir": median(query, "weir", 7), "flink": median(query, best, 7)}
    ratio = speed["weir"] / speed[best] if speed[best] else None
    share = speed["weir"] / speed["limit"] if speed["limit"] else None
    per_million = {system: value / events * 1e6 if value is not None else None for system, value in cpu.items()}
    results = {(run[8], run[9]) for system in ("weir", "flink") for run in runs.get((query, system), [])}
    updates = any(run[9] == "-" for run in runs[query, "weir"]) and len(results) > 1
    verdict = "equal" if len(results) == 1 else "see check.sh" if updates else "DIFFERENT " + str(sorted(results))
    millions = {system: value / 1e6 if value else None for system, value in speed.items()}
    print(f"{query:<16}{show(millions['weir'], '{:.2f}'):>10}{show(millions['flink'], '{:.3f}'):>10}{show(millions['flink-heap'], '{:.3f}'):>10}{show(ratio, '{:.1f}x'):>8}"
          f"{show(millions['limit'], '{:.2f}'):>10}{show(share, '{:.0%}'):>9}{show(per_million['weir'], '{:.2f}'):>8}"
          f"{show(per_million['flink'], '{:.2f}'):>8}{show(rss['weir'], '{:.0f}'):>8}{show(rss['flink'], '{:.0f}'):>8}  {verdict}")


def noted(query, key):
    """The median of a number in the notes, `key=number`."""
    notes = [dict(word.split("=") for word in run[14].split() if "=" in word) for run in runs[query, "weir-2tm"]]
    return statistics.median(float(note[key]) for note in notes)


if wired:
    print(f"\n{'the wire':<26}{'1 proc M/s':>11}{'2 tm M/s':>10}{'ratio':>7}{'cpu/M':>7}{'2 tm':>7}{'more':>7}"
          f"{'MB':>7}{'MB/s':>7}{'CPU s/GB':>9}  results")
for query in wired:
    speed = [median(query, system, 5) / 1e6 for system in ("weir", "weir-2tm")]
    millions = median(query, "weir", 3) / 1e6
    cpu = [median(query, system, 6) / millions for system in ("weir", "weir-2tm")]
    crossed = noted(query, "wire_mb")
    results = {(run[8], run[9]) for system in ("weir", "weir-2tm") for run in runs[query, system]}
    print(f"{query:<26}{speed[0]:>11.2f}{speed[1]:>10.2f}{speed[1] / speed[0]:>6.2f}x{cpu[0]:>7.2f}{cpu[1]:>7.2f}"
          f"{cpu[1] - cpu[0]:>7.2f}{crossed:>7.0f}{noted(query, 'wire_mb_per_s'):>7.0f}"
          f"{(cpu[1] - cpu[0]) * millions / crossed * 1e3:>9.2f}  {'equal' if len(results) == 1 else f'DIFFERENT {sorted(results)}'}")
