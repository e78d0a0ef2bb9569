"""Renders the report of a run that make_run.py made, three times, and holds it to that of the short run and to two limits.

Usage: report_at_scale.py MCPLOAD SHORT LONG MOST_SECONDS MOST_MIB. Prints wall-clock and CPU time of the fastest, and the most
resident memory of all; exits with 1 if a limit is exceeded or the report says something else than the short one.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

TIMES = 3
# Shares of the samples of the same distribution, rank for rank: what is left is one rank's rounding, and the end of the phase.
WITHIN = 0.01


def render(mcpload, run):
    """Seconds by the wall, CPU seconds, MiB."""
    began = time.monotonic()
    child = subprocess.Popen([mcpload, "report", run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"mcpload report ended with {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    mcpload, short, long = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    most_seconds, most_mib = float(sys.argv[4]), float(sys.argv[5])
    taken = [render(mcpload, long) for _ in range(TIMES)]
    wall, cpu = min(taken)[:2]
    memory = max(mib for _, _, mib in taken)
    ours, theirs = (json.loads((run / "report" / "summary.json").read_text()) for run in (short, long))
    calls = theirs["analysis"]["whole"]["calls"]
    print(
        f"report of {calls:,} calls: {wall:.1f} s, CPU {cpu:.1f} s ({cpu / calls * 1e9:.0f} ns a call), {memory:.0f} MiB"
        f" on {os.cpu_count()} cores"
    )
    wrong = []
    if theirs["verdict"]["answer"] != "pass":
        wrong.append(f"the verdict is {theirs['verdict']['headline']}")
    for one, many in zip(ours["analysis"]["phases"], theirs["analysis"]["phases"], strict=True):
        times = many["tally"]["due"] / one["tally"]["due"]
        if times != int(times) or many["tally"]["ok"] != one["tally"]["ok"] * times or many["intended"] != one["intended"] * times:
            wrong.append(f"{many['name']}: {many['tally']} is no multiple of {one['tally']}")
        for name in ("p50_ns", "p99_ns"):
            if abs(one["response"][name] - many["response"][name]) > WITHIN * one["response"][name]:
                wrong.append(f"{many['name']}: {name} is {many['response'][name]} and not {one['response'][name]}")
    if wall > most_seconds:
        wrong.append(f"it took {wall:.1f} s, at most {most_seconds:.0f} are allowed")
    if memory > most_mib:
        wrong.append(f"it took {memory:.0f} MiB, at most {most_mib:.0f} are allowed")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
