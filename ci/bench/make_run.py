"""Makes the run directory of a long run out of that of a short one, by repeating the rows of its last phase.

Usage: make_run.py SHORT LONG CALLS. SHORT is a run without faults that kept its promises, and whose last phase, of whole
seconds, is the only one to be repeated; LONG is made new, with at least CALLS rows in calls.csv.zst. Everything that happened
in the phase happens again as often as needed, later by its length each time: rows of calls, counts, histograms, samples. What
came after it (the end of the sessions, the events of the end) comes after the last of them. So the files of LONG agree with
each other as those of SHORT do, and every number of its report can be told from the report of SHORT. It checks nothing;
`report_at_scale.sh` does. Needs zstandard.
"""

import csv
import io
import json
import pathlib
import shutil
import sys
from collections import defaultdict

import zstandard

SECOND = 1_000_000_000
LEVEL = 2
# Of calls.csv.zst: the stamps come first, then two durations, three names, and the number of the arrival.
STAMPS = ["done", "operation_due", "due", "taken", "sent", "first_byte", "first_event"]
COUNTERS = {"process_cpu_seconds_total"}


def read(path):
    with open(path, "rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return io.TextIOWrapper(reader, encoding="utf-8", newline="").read()


def line_of(fields):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue()


class Span:
    """The phase that is repeated, and how often."""

    def __init__(self, plan, rows, wanted):
        phase = plan["phases"][-1]
        self.phase, self.start, self.end = phase["name"], phase["window"]["start"], phase["window"]["end"]
        assert self.start % SECOND == 0 and self.end % SECOND == 0, "the phase is not of whole seconds"
        self.length = self.end - self.start
        again = sum(self.repeats(row) for row in rows)
        self.times = max(1, -(-(wanted - len(rows) + again) // again))
        self.tail = (self.times - 1) * self.length

    def repeats(self, row):
        """Whether a row of calls happens again; upkeep after the phase is the end of the sessions."""
        return row["phase"] == self.phase and (row["arrival"] != "" or int(row["operation_due"]) < self.end)

    def shifts(self, repeated, at):
        """By how much something is shifted, each time that it happens."""
        if repeated:
            return range(0, self.tail + 1, self.length)
        return (self.tail if at >= self.end else 0,)


def calls(short, long, header, rows, span):
    """Frames of one worker and second each, in order of time, as a conductor writes them."""
    assert header[: len(STAMPS)] == STAMPS and header[12] == "arrival", "the columns are not those that this script knows"
    arrivals = defaultdict(int)
    frames = defaultdict(list)
    for row in rows:
        if row["arrival"] and span.repeats(row):
            arrivals[row["workload"]] += 1
        second = int(row["done"]) // SECOND
        frames[second].append(row)
    parts = {}
    for second, chunk in frames.items():
        parts[second] = [
            (
                int(row["worker"]),
                span.repeats(row),
                [int(row[name]) if row[name] else None for name in STAMPS],
                line_of([row[name] for name in header[7:12]])[:-1],
                int(row["arrival"]) if row["arrival"] else None,
                arrivals[row["workload"]],
                line_of([row[name] for name in header[13:]]),
            )
            for row in chunk
        ]
    first, last, steps = min(parts), max(parts), span.length // SECOND
    compress = zstandard.ZstdCompressor(level=LEVEL).compress
    written = 0
    with open(long / "calls.csv.zst", "wb") as out:
        out.write(compress(line_of(header).encode()))
        for second in range(first, last + steps * (span.times - 1) + 1):
            made = defaultdict(list)
            # A turn reaches into the seconds after its own end, where what was under way ended.
            earliest = max(0, (second - last + steps - 1) // steps)
            for turn in range(earliest, min(span.times, max(0, (second - span.start // SECOND) // steps) + 1)):
                for part in parts.get(second - turn * steps, ()):
                    worker, repeated, stamps, middle, arrival, more, rest = part
                    late = stamps[0] >= span.end
                    if not repeated and turn != (span.times - 1 if late else 0):
                        continue
                    shift = turn * span.length
                    front = ",".join("" if stamp is None else str(stamp + shift) for stamp in stamps)
                    number = "" if arrival is None else arrival + turn * more
                    made[worker].append((stamps[0] + shift, f"{front},{middle},{number},{rest}"))
            for worker, lines in sorted(made.items()):
                lines.sort()
                written += len(lines)
                out.write(compress("".join(line for _, line in lines).encode()))
    return written


def counts(short, long, span):
    with open(short / "counts.csv", newline="") as source, open(long / "counts.csv", "w", newline="") as out:
        header, *rows = csv.reader(source)
        names = {name: place for place, name in enumerate(header)}
        made = []
        for row in rows:
            second = int(row[0])
            upkeep = row[names["operation"]] == "session"
            repeated = row[names["phase"]] == span.phase and not (upkeep and second * SECOND >= span.end)
            for shift in span.shifts(repeated, second * SECOND):
                made.append((second + shift // SECOND, row))
        made.sort(key=lambda pair: pair[0])
        out.write(line_of(header))
        out.writelines(line_of([second, *row[1:]]) for second, row in made)


def histograms(short, long, span):
    head, made = [], []
    for line in (short / "histograms.hlog").read_text().splitlines(keepends=True):
        if not line.startswith("Tag="):
            head.append(line)
            continue
        tag, start, rest = line.split(",", 2)
        at, parts = float(start), tag[4:].split("/")
        of_operation = len(parts) == 5 and parts[2] != "session"
        repeated = parts[-1] == span.phase and (of_operation or at * SECOND < span.end)
        for shift in span.shifts(repeated, at * SECOND):
            made.append((at + shift / SECOND, tag, rest))
    made.sort(key=lambda entry: entry[0])
    with open(long / "histograms.hlog", "w") as out:
        out.writelines(head)
        out.writelines(f"{tag},{at:.3f},{rest}" for at, tag, rest in made)


def samples(short, long, span):
    """Counters go on where they were: each time adds what the phase used."""
    with open(short / "samples.csv", newline="") as source:
        header, *rows = csv.reader(source)
    inside = defaultdict(list)
    for at, slot, metric, labels, value in rows:
        if metric in COUNTERS and span.start <= int(at) < span.end:
            inside[slot, metric, labels].append(float(value))
    made = []
    for at, slot, metric, labels, value in rows:
        at = int(at)
        used = inside.get((slot, metric, labels), [0])
        for shift in span.shifts(span.start <= at < span.end, at):
            more = (used[-1] - used[0]) * (shift // span.length)
            made.append((at + shift, slot, metric, labels, float(value) + more if more else value))
    made.sort(key=lambda entry: entry[0])
    with open(long / "samples.csv", "w", newline="") as out:
        out.write(line_of(header))
        out.writelines(line_of(row) for row in made)


def events(short, long, span):
    """What was said after the phase is said after the last one; the totals of workers stay those of the short run."""
    with open(long / "events.jsonl", "w") as out:
        for line in (short / "events.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["at"] >= span.end:
                event["at"] += span.tail
            out.write(json.dumps(event, separators=(",", ":")) + "\n")


def sessions(short, long, span):
    text = read(short / "sessions.csv.zst")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header[0] == "at", "the columns are not those that this script knows"
    for row in rows:
        row[0] = str(int(row[0]) + (span.tail if int(row[0]) >= span.end else 0))
    compress = zstandard.ZstdCompressor(level=LEVEL).compress
    with open(long / "sessions.csv.zst", "wb") as out:
        out.write(compress(line_of(header).encode()))
        out.write(compress("".join(line_of(row) for row in rows).encode()))


def main():
    short, long, wanted = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    plan = json.loads((short / "plan.json").read_text())
    assert not plan["faults"], "a run with faults is not repeated"
    table = csv.DictReader(io.StringIO(read(short / "calls.csv.zst"), newline=""))
    rows = list(table)
    span = Span(plan, rows, wanted)
    shutil.copytree(short, long, ignore=shutil.ignore_patterns("report", "lock"))
    plan["phases"][-1]["window"]["end"] += span.tail
    (long / "plan.json").write_text(json.dumps(plan, indent=2) + "\n")
    run = json.loads((short / "run.json").read_text())
    run["id"] = long.name
    (long / "run.json").write_text(json.dumps(run, indent=2) + "\n")
    events(short, long, span)
    counts(short, long, span)
    histograms(short, long, span)
    samples(short, long, span)
    sessions(short, long, span)
    written = calls(short, long, table.fieldnames, rows, span)
    print(f"{long}: {written} calls, phase {span.phase} of {span.length // SECOND} s {span.times} times")


if __name__ == "__main__":
    main()
