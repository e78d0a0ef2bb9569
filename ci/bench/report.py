"""Part `report`: how long `mcpload report` takes on a long run, and how much memory.

    report.py MCPLOAD PYTHON OUT.json              settings: CALLS (10000000), ROUNDS_REPORT (3)

The long run is made by make_run.py, with PYTHON (which has zstandard), out of a short one. Times are medians; memory is the greatest.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import generators
import machine
from processes import Stub, wait

CALLS = int(os.environ.get("CALLS", "10000000"))
ROUNDS = int(os.environ.get("ROUNDS_REPORT", "3"))
SHORT_SECONDS = 10
SHORT_RATE = 2000


def size(directory):
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def main():
    mcpload, python, out = sys.argv[1:]
    ran_on, rounds = machine.described(), []
    with tempfile.TemporaryDirectory(dir=pathlib.Path(out).parent) as work:
        short, long = pathlib.Path(work) / "short", pathlib.Path(work) / "long"
        with Stub(mcpload, 21105) as stub:
            path = generators.scenario(work, stub.url, SHORT_SECONDS, generators.open_rate(SHORT_RATE))
            command = [mcpload, "run", str(path), "--out", str(short), "--on-inconclusive", "warn"]
            subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        maker = pathlib.Path(__file__).with_name("make_run.py")
        subprocess.run([python, str(maker), str(short), str(long), str(CALLS)], check=True, timeout=1800)
        stored = size(long)
        for _ in range(ROUNDS):
            began = time.monotonic()
            process = subprocess.Popen([mcpload, "report", str(long)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            status, usage = wait(process, began + 900)
            seconds = time.monotonic() - began
            whole = json.loads((long / "report/summary.json").read_text())["analysis"]["whole"]
            rounds.append({"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024})
            rounds[-1] |= {"calls": whole["calls"], "exit": os.waitstatus_to_exitcode(status)}
            print(f"   {whole['calls']} calls: {seconds:.1f} s, {usage.ru_maxrss / 1024:.0f} MiB", flush=True)
    document = {
        "part": "report",
        "machine": ran_on,
        "commit": machine.commit(),
        "versions": {"mcpload": machine.version("mcpload", mcpload)},
        "settings": {"calls": CALLS, "rounds": ROUNDS},
        "run_bytes": stored,
        "rounds": rounds,
        "median": {
            "calls": rounds[0]["calls"],
            "seconds": statistics.median(one["seconds"] for one in rounds),
            "cpu": statistics.median(one["cpu"] for one in rounds),
            "peak_bytes": max(one["peak_bytes"] for one in rounds),
        },
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=1) + "\n")


main()
