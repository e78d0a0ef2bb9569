"""An independent reading of a run directory: recomputes what report/summary.json says, out of the recorded files alone.

It shares no code with mcpload; it follows the definitions in ARCHITECTURE.md. Usage: check_run.py RUN_DIR. Prints each
comparison, and exits with 1 if one disagrees. Needs pandas, zstandard, hdrhistogram and duckdb.
"""

import csv
import io
import json
import pathlib
import sys
from collections import Counter, defaultdict

import zstandard

import recovery
from histograms import check_histograms
from tables import check_tables

MEASURED_QUANTILES = {"p50_ns": 0.5, "p90_ns": 0.9, "p95_ns": 0.95, "p99_ns": 0.99}
# Histograms keep three significant digits; the rank may fall between two values that differ by as much.
HISTOGRAM_TOLERANCE = 0.002

failures = []
compared = 0


def compare(what, ours, theirs, within=0):
    """Prints one comparison: equal, or numbers that differ by at most `within`."""
    global compared
    compared += 1
    if ours == theirs:
        same = True
    elif isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        same = abs(ours - theirs) <= within
    else:
        same = False
    if not same:
        failures.append(what)
    print(f"  {'agrees' if same else 'DISAGREES':9}  {what}: {ours}" + ("" if ours == theirs else f" / {theirs}"))


def rows_of(path):
    """The rows of a CSV file of several zstd frames."""
    with open(path, "rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        yield from csv.DictReader(io.TextIOWrapper(reader, encoding="utf-8", newline=""))


def number(text):
    return int(text) if text else None


class Run:
    """The recorded facts."""

    def __init__(self, directory):
        self.directory = directory
        self.plan = json.loads((directory / "plan.json").read_text())
        self.summary = json.loads((directory / "report" / "summary.json").read_text())
        self.events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
        self.calls = list(rows_of(directory / "calls.csv.zst"))
        for call in self.calls:
            for name in ("done", "operation_due", "due", "taken", "sent"):
                call[name] = number(call[name])
        self.sessions = list(rows_of(directory / "sessions.csv.zst"))
        with open(directory / "counts.csv", newline="") as file:
            self.counts = list(csv.DictReader(file))
        self.operations = [call for call in self.calls if call["arrival"] and call["ends"]]
        self.measured = {phase["name"] for phase in self.plan["phases"] if phase["measure"]}

    def event(self, kind, **fields):
        """The first event of this kind with these fields."""
        for event in self.events:
            if event["event"] == kind and all(event.get(key) == value for key, value in fields.items()):
                return event
        return None


def check_ending(run):
    print("ending")
    last = run.events[-1]
    ending = last["how"] if last["event"] == "run-ended" else None
    compare("how the run ended", ending, run.summary["analysis"]["ending"])
    seen = sorted(event["at"] for event in run.events)
    compare("events are in order of time", [event["at"] for event in run.events] == seen, True)


def check_counts(run):
    """counts.csv against the rows: exactly, label set by label set."""
    print("counts.csv, calls.csv.zst and summary.json")
    label = lambda row: (row["phase"], row["workload"], row["operation"], row["protocol"])
    ours, theirs = defaultdict(Counter), defaultdict(Counter)
    limits = latency_limits(run.plan)
    for call in run.calls:
        ours[label(call)][f"calls_{call['outcome']}"] += 1
    for call in run.operations:
        ours[label(call)][f"operations_{call['ends']}"] += 1
        took = call["done"] - call["operation_due"]
        for name, (limit, operations) in limits.items():
            if not operations or call["operation"] in operations:
                ours[label(call)][f"over_{name}"] += call["ends"] != "ok" or took > limit
    sums = Counter()
    for row in run.counts:
        for column in row:
            if column.startswith(("calls_", "operations_", "over_")):
                theirs[label(row)][column] += int(row[column])
            if column in ("arrivals", "shed", "unrecorded"):
                sums[column] += int(row[column])
    columns = sorted({column for counter in (*ours.values(), *theirs.values()) for column in counter})
    for column in columns:
        mine = {key: counter[column] for key, counter in ours.items() if counter[column]}
        counted = {key: counter[column] for key, counter in theirs.items() if counter[column]}
        compare(f"{column} by label, in all {sum(mine.values())}", mine == counted, True)
    compare("arrivals", len(run.operations), sums["arrivals"])
    whole = run.summary["analysis"]["whole"]
    for outcome in ("ok", "fail", "info"):
        mine = sum(call["ends"] == outcome for call in run.operations)
        compare(f"operations that ended {outcome}", mine, whole[outcome])
    compare("calls", len(run.calls), whole["calls"])
    compare("shed arrivals", sums["shed"], whole["shed"])
    compare("unrecorded rows", sums["unrecorded"], whole["unrecorded"])
    for phase in run.summary["analysis"]["phases"]:
        mine = Counter(call["ends"] for call in run.operations if call["phase"] == phase["name"])
        counted = {name: phase["tally"][name] for name in ("ok", "fail", "info")}
        compare(f"phase {phase['name']}", {name: mine[name] for name in counted}, counted)


def latency_limits(plan):
    """Latency objective -> (threshold in ns, operations that it speaks of)."""
    return {
        slo["name"]: (recovery.nanoseconds(slo["promise"]["latency"]["under"]), slo["operations"])
        for slo in plan["objectives"]
        if "latency" in slo["promise"] and slo["of"] == "operations"
    }


def check_objectives(run):
    print("objectives")
    for stats in run.summary["analysis"]["objectives"]:
        objective, span = stats["objective"], stats["span"]
        if span is None or objective["of"] != "operations":
            continue
        promise = objective["promise"]
        limit = recovery.nanoseconds(promise["latency"]["under"]) if "latency" in promise else None
        names = objective["operations"]
        inside = [
            call
            for call in run.operations
            if span["start"] <= call["operation_due"] < span["end"] and (not names or call["operation"] in names)
        ]
        bad = sum(
            call["ends"] != "ok" or (limit is not None and call["done"] - call["operation_due"] > limit) for call in inside
        )
        # Shed arrivals have no row, and break every promise; only a phase says in which window they were due.
        shed = sum(int(row["shed"]) for row in run.counts if {"phase": row["phase"]} == stats["window"])
        window = " ".join(f"{key} {value}" for key, value in stats["window"].items()) if isinstance(stats["window"], dict) else stats["window"]
        compare(f"{objective['name']} in {window}: samples", len(inside) + shed, stats["samples"])
        compare(f"{objective['name']} in {window}: bad", bad + shed, stats["bad"])


def check_faults(run):
    limits = latency_limits(run.plan)
    for stats in run.summary["analysis"]["faults"]:
        name = stats["name"]
        print(f"fault {name}")
        began, effective, healed = (
            run.event(kind, fault=name) for kind in ("fault-began", "fault-effective", "fault-heal-proven")
        )
        compare("time of its begin", began["at"], stats["began"])
        compare("time of its effect", effective["at"], stats["effective"][0])
        compare("from when on it acted", recovery.acted(run, name), stats["acted"])
        compare("time of its heal", healed and healed["at"], stats["healed"] and stats["healed"][0])
        compare("targets", began["targets"], stats["targets"])
        for target in began["targets"]:
            late = [
                call
                for call in run.calls
                if call["instance"] == target and call["outcome"] == "ok" and call["sent"] and call["sent"] > effective["at"]
            ]
            compare(f"calls that {target} answered although they were sent after its end", len(late), 0)
        bad = [call for call in run.operations if call["ends"] != "ok" and call["done"] >= began["at"]]
        first = min((call["done"] for call in bad), default=None)
        compare("first operation that ended bad", first, stats["first_bad"] and stats["first_bad"]["at"])
        check_sessions(run, stats, began["at"])
        found = recovery.recover(run, stats, limits)
        theirs = stats["recovery"]
        compare("baseline operations", found.baseline, theirs["baseline_samples"])
        compare("hold, ns", found.hold, theirs["hold_ns"])
        compare("impact onset", found.onset, theirs["onset"], within=found.width)
        service = theirs["service"]
        if isinstance(service, dict) and "after" in service:
            compare("recovered (service), ns", found.service, service["after"], within=theirs["resolution_ns"])
        else:
            compare("recovered (service)", found.service, {"no-impact": 0}.get(service) if isinstance(service, str) else None)
        check_after_heal(run, stats, found, recovery.acted(run, name))
        if stats["change"]:
            check_change(run, stats)


def check_after_heal(run, stats, found, effect):
    """Recovery counted from the return of the undo, for a fault that lasts."""
    theirs, healed = stats["recovery"]["after_heal"], run.event("fault-healed", fault=stats["name"])
    compare("counted from its heal too", theirs is not None, stats["duration_ns"] is not None)
    if theirs is None or healed is None:
        return
    service = theirs["service"]
    if isinstance(service, dict) and "after" in service:
        mine = None if found.service is None else max(0, effect + found.service - healed["at"])
        compare("recovered (service) after its heal, ns", mine, service["after"], within=stats["recovery"]["resolution_ns"])


def check_change(run, stats):
    """The calls around the stop signals of a change, where no other fault is near and nobody fails before it."""
    theirs, name = stats["change"], stats["name"]
    signals = [event for event in run.events if event["event"] == "slot-stopping" and event["fault"] == name]
    done = run.event("fault-heal-proven", fault=name)
    told = [(signal["at"], signal["instance"]) for signal in theirs["signals"]]
    compare("stop signals", [(event["at"], event["instance"]) for event in signals], told)
    if len(run.plan["faults"]) != 1 or len(signals) != 1 or done is None:
        return
    signal, slot = signals[0]["at"], signals[0]["instance"].rsplit("#", 1)[0]
    over = signal + recovery.nanoseconds(signals[0]["grace"])
    end = min(done["at"], max(phase["window"]["end"] for phase in run.plan["phases"]))
    held = [call for call in run.calls if call["sent"] is not None and call["sent"] < signal <= call["done"]]
    mine = [call for call in held if call["instance"].rsplit("#", 1)[0] == slot]
    unknown = [call for call in held if not call["instance"]]
    compare("in flight on what was asked to end", len(mine), theirs["in_flight"])
    compare("in flight of which nobody knows who served them", len(unknown), theirs["in_flight_unknown"])
    broken = {"transport", "truncated", "timeout", "http", "session-lost", "malformed"}
    lost = [call for call in mine + unknown if call["class"] in broken and call["done"] < over]
    after = [call for call in run.calls if call["sent"] is not None and signal <= call["sent"] < end]
    failed = [call for call in after if call["class"] in broken]
    late = [call for call in run.calls if call["class"] == "session-lost" and call["sent"] and call["sent"] >= end]
    before = [call for call in run.calls if call["class"] in broken and call["done"] < stats["began"]]
    by_class = Counter(call["class"] for call in lost + failed + late)
    counted = Counter()
    for failures in theirs["failures"]:
        if failures["class"] in broken:
            counted[failures["class"]] += failures["blamed"]
    if not before:
        compare("failures that the change is blamed for, by class", dict(by_class), dict(+counted))


def check_sessions(run, stats, began):
    lives = defaultdict(dict)
    for row in run.sessions:
        key = (row["workload"], int(row["client"]), int(row["session"]))
        lives[key].setdefault(row["transition"], int(row["at"]))
    start = lambda life: min((life[name] for name in ("born", "re-established") if name in life), default=None)
    end = lambda life: min((life[name] for name in ("lost", "closed") if name in life), default=None)
    active = {
        key
        for key, life in lives.items()
        if start(life) is not None and start(life) <= began and (end(life) is None or end(life) >= began)
    }
    lost = {key for key in active if "lost" in lives[key]}
    back = {
        key
        for key in lost
        if any(
            other[:2] == key[:2] and other[2] > key[2] and life.get("re-established", -1) >= lives[key]["lost"]
            for other, life in lives.items()
        )
    }
    compare("sessions active at its begin", len(active), stats["sessions_active"])
    if len(run.plan["faults"]) == 1:
        compare("sessions lost", len(lost), stats["sessions_lost"])
        compare("sessions re-established", len(back), stats["sessions_re_established"])
    totals = Counter(row["transition"] for row in run.sessions)
    whole = run.summary["analysis"]["sessions"]
    for transition in ("born", "lost", "re-established", "failed", "closed"):
        compare(f"sessions {transition} in all", totals[transition], whole[transition.replace("-", "_")])


def quantile(values, bad, share):
    """The value of rank ceil(share * n), bad ones ranking above all; None if it falls on one of them."""
    rank = max(1, -(-int(round(share * 10000)) * (len(values) + bad) // 10000))
    return sorted(values)[rank - 1] if rank <= len(values) else None


def histogram_quantile(histogram, share):
    """The value of rank ceil(share * n): the library's own percentiles round the rank to the nearest."""
    rank = max(1, -(-int(round(share * 10000)) * histogram.get_total_count() // 10000))
    for item in histogram.get_recorded_iterator():
        if item.total_count_to_this_value >= rank:
            return item.value_iterated_to
    return None


def check_percentiles(run):
    """The percentiles in summary.json, and those of the histograms, against the calls."""
    from hdrh.histogram import HdrHistogram

    print(f"percentiles, within {HISTOGRAM_TOLERANCE:.1%}")
    merged = {}
    for line in (run.directory / "histograms.hlog").read_text().splitlines():
        if not line.startswith("Tag="):
            continue
        tag, _start, _length, _max, text = line.split(",")
        decoded = HdrHistogram.decode(text)
        if tag[4:] in merged:
            merged[tag[4:]].add(decoded)
        else:
            merged[tag[4:]] = decoded
    grouped = defaultdict(list)
    for call in run.operations:
        if call["ends"] == "ok":
            label = "/".join((call["workload"], call["operation"], call["protocol"], call["phase"]))
            grouped[f"response/{label}"].append(call["done"] - call["operation_due"])
    for call in run.calls:
        if call["outcome"] == "ok" and call["sent"] is not None:
            label = "/".join((call["workload"], call["operation"], call["protocol"], call["phase"]))
            grouped[f"service/{label}"].append(call["done"] - call["sent"])
    for tag, values in sorted(grouped.items()):
        histogram = merged.get(tag)
        compare(f"{tag}: samples", len(values), histogram and histogram.get_total_count())
        if histogram is None:
            continue
        for share in (0.5, 0.9, 0.99):
            exact = quantile(values, 0, share)
            close(f"{tag}: p{share * 100:g}", exact, histogram_quantile(histogram, share))
    for stats in run.summary["analysis"]["operations"]:
        mine = [
            call
            for call in run.operations
            if all(call[key] == stats[key] for key in ("workload", "operation", "protocol")) and call["phase"] in run.measured
        ]
        good = [call["done"] - call["operation_due"] for call in mine if call["ends"] == "ok"]
        for name, share in MEASURED_QUANTILES.items():
            what = f"summary, {stats['operation']} {stats['protocol']}: {name}"
            close(what, quantile(good, len(mine) - len(good) + stats["tally"]["shed"], share), stats["response"][name])


def close(what, exact, found):
    if exact is None or found is None:
        compare(what, exact, found)
    else:
        compare(what, exact, found, within=max(1000, exact * HISTOGRAM_TOLERANCE))


def main():
    run = Run(pathlib.Path(sys.argv[1]))
    print(f"{run.plan['name']}: {len(run.calls)} calls, {len(run.sessions)} session rows, {len(run.events)} events")
    check_ending(run)
    check_counts(run)
    check_objectives(run)
    check_faults(run)
    check_percentiles(run)
    check_histograms(run, compare)
    check_tables(run, compare)
    if failures:
        print(f"{len(failures)} of {compared} comparisons disagree: {'; '.join(failures)}")
        sys.exit(1)
    print(f"all {compared} comparisons agree")


if __name__ == "__main__":
    main()
