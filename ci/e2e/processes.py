"""Looks after processes by number and start time, since numbers are used again.

processes.py below PID              prints PID:START:PROGRAM of every process below it
processes.py gone SECONDS PROCESS…  waits until none of these is alive; prints how long that took, exits with 1 if one is left
"""

import pathlib
import sys
import time


def stat(pid):
    """(program, state, parent, start) of a process, or None."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    before, _, after = text.rpartition(")")
    fields = after.split()
    return before.partition("(")[2], fields[0], int(fields[1]), int(fields[19])


def below(root):
    table = {int(path.name): stat(path.name) for path in pathlib.Path("/proc").iterdir() if path.name.isdigit()}
    parents, found = [root], []
    while parents:
        parent = parents.pop()
        for pid, facts in table.items():
            if facts and facts[2] == parent and facts[1] not in "ZX":
                found.append(f"{pid}:{facts[3]}:{facts[0]}")
                parents.append(pid)
    return found


def alive(process):
    pid, start, _ = process.split(":", 2)
    facts = stat(pid)
    return facts is not None and facts[1] not in "ZX" and facts[3] == int(start)


def gone(limit, processes):
    began = time.monotonic()
    while True:
        left = [process for process in processes if alive(process)]
        took = time.monotonic() - began
        if not left:
            print(f"all {len(processes)} processes were gone after {took:.2f} s")
            return 0
        if took > limit:
            print(f"left after {limit} s: {' '.join(left)}")
            return 1
        time.sleep(0.01)


if __name__ == "__main__":
    if sys.argv[1] == "below":
        print(*below(int(sys.argv[2])), sep="\n")
    else:
        sys.exit(gone(float(sys.argv[2]), sys.argv[3:]))
