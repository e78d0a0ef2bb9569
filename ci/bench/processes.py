"""Starts what is measured, on the cores that it may use, and reads what it used.

Both sides get cores of their own: the generator the first, the server the last (several, where the machine has more than two).
"""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

TICK = 1 / os.sysconf("SC_CLK_TCK")
GENERATOR_CORE = 0
SERVER_CORE = (os.cpu_count() or 1) - 1
HOST = "127.0.0.9"


def pinned(core, command):
    return ["taskset", "-c", str(core), *command]


def cpu(pid):
    """(own CPU time, that of children which it waited for), seconds; None if it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    user, system, of_children_user, of_children_system = map(int, fields[11:15])
    return (user + system) * TICK, (of_children_user + of_children_system) * TICK


class Others:
    """What processes other than those measured used of the machine's cores meanwhile: a figure for how far the rest can be trusted."""

    def __init__(self):
        self.began, self.busy = time.monotonic(), self.read()

    @staticmethod
    def read():
        user, nice, system, _idle, _wait, irq, soft, steal = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
        return (user + nice + system + irq + soft + steal) * TICK

    def share(self, measured):
        """`measured`: CPU seconds of both sides. The rest as a share of all cores."""
        elapsed = (time.monotonic() - self.began) * (os.cpu_count() or 1)
        return max(self.read() - self.busy - measured, 0) / elapsed


class Stub:
    """`mcpload serve stub` on a core of its own, for one measurement."""

    def __init__(self, mcpload, port, core=SERVER_CORE):
        self.url = f"http://{HOST}:{port}/mcp"
        self.root = f"http://{HOST}:{port}"
        command = [mcpload, "serve", "stub", "--listen", f"{HOST}:{port}"]
        self.process = subprocess.Popen(pinned(core, command), stdout=subprocess.DEVNULL)

    def __enter__(self):
        deadline = time.monotonic() + 10
        while True:
            try:
                self.log()
                return self
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline:
                    self.__exit__()
                    raise
                time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self):
        """What it counted: calls, and their times."""
        with urllib.request.urlopen(f"{self.root}/log", timeout=5) as answer:
            return json.load(answer)

    def cpu(self):
        return cpu(self.process.pid)[0]


def run(command, limit, core=GENERATOR_CORE, output=None, until_children=None):
    """Runs a generator to its end. Says how long it took, its CPU time with all its children, and its exit code.

    `until_children`: a time in seconds from which to look for the moment at which its children were waited for; then `loaded` is the
    CPU time until then. So the report that mcpload renders after the load is not counted as load.
    """
    began = time.monotonic()
    with open(output or os.devnull, "w", encoding="utf-8") as sink:
        process = subprocess.Popen(pinned(core, command), stdout=sink, stderr=subprocess.STDOUT)
        loaded = None
        if until_children is not None:
            while time.monotonic() - began < limit:
                left = until_children - (time.monotonic() - began)
                time.sleep(max(left, 0.005))
                spent = cpu(process.pid)
                if spent is None or pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    break
                if spent[1] > 0:
                    loaded = sum(spent)
                    break
        status, usage = wait(process, began + limit)
    return {
        "seconds": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "user": usage.ru_utime,
        "system": usage.ru_stime,
        "loaded": loaded,
        "status": os.waitstatus_to_exitcode(status),
    }


def wait(process, deadline):
    """The end of a child, killed if it is late, and what it used."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return status, usage
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.01)
