"""Whether the memory of every process of a run stayed the same, and what a call takes on disk.

Usage: soak.py RUN_DIR. For each slot, worker and mcpload itself it takes the samples of resident memory after the first minute
of load (of a run shorter than four minutes: after its first quarter) and fits a line through them: Theil and Sen's, the median
of the slopes of all pairs, which a few outliers do not move. Memory is flat if that line rises, from the first of these samples
to the last, by less than 5 % of their median plus 2 MiB. Exits with 1 if it is not, or if a process has too few samples.
"""

import csv
import json
import pathlib
import statistics
import sys
from collections import defaultdict

RESIDENT = "process_resident_memory_bytes"
SECOND = 1_000_000_000
SETTLING = 60 * SECOND
SHARE = 0.05
MARGIN = 2 << 20
LEAST_SAMPLES = 20
MIB = 1 << 20


def slope(points):
    return statistics.median(
        (later - earlier) / (end - begin)
        for place, (begin, earlier) in enumerate(points)
        for end, later in points[place + 1 :]
        if end > begin
    )


def memory(run):
    """Resident memory by process, while there was load and after it had settled."""
    plan = json.loads((run / "plan.json").read_text())
    end = plan["phases"][-1]["window"]["end"]
    settled = min(SETTLING, end // 4)
    points = defaultdict(list)
    with open(run / "samples.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["metric"] == RESIDENT and settled <= int(row["at"]) < end:
                points[row["slot"]].append((int(row["at"]), float(row["value"])))
    names = [slot["id"] for role in plan["fleet"]["roles"] for slot in role["slots"]]
    names += [f"worker-{number}" for number in range(plan["workers"])] + ["mcpload"]
    return {name: points[name] for name in names}


def size(path):
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size


def main():
    run = pathlib.Path(sys.argv[1])
    growing = []
    for name, points in memory(run).items():
        if len(points) < LEAST_SAMPLES:
            growing.append(name)
            print(f"  {name}: only {len(points)} samples of its memory, {LEAST_SAMPLES} are needed")
            continue
        middle = statistics.median(value for _, value in points)
        growth = slope(points) * (points[-1][0] - points[0][0])
        allowed = SHARE * middle + MARGIN
        flat = growth < allowed
        if not flat:
            growing.append(name)
        print(
            f"  {name}: {middle / MIB:.1f} MiB, {growth / MIB:+.2f} MiB in {(points[-1][0] - points[0][0]) / SECOND:.0f} s,"
            f" {len(points)} samples, allowed {allowed / MIB:.2f} MiB: {'flat' if flat else 'GROWS'}"
        )
    calls = json.loads((run / "report" / "summary.json").read_text())["analysis"]["whole"]["calls"]
    parts = {path.name: size(path) for path in run.iterdir()}
    whole = sum(parts.values())
    largest = sorted(parts.items(), key=lambda part: -part[1])[:3]
    print(
        f"  run directory: {whole:,} bytes for {calls:,} calls, {whole / calls:.1f} a call ("
        + ", ".join(f"{name} {part / calls:.1f}" for name, part in largest)
        + ")"
    )
    if growing:
        sys.exit(f"memory is not flat: {', '.join(growing)}")


if __name__ == "__main__":
    main()
