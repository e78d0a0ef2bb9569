"""What a benchmark ran on: written beside its figures, since they mean nothing without it."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def said(*command):
    """What a command prints on either stream; empty if there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def field(path, name):
    """The first value of a `name : value` line of a file in /proc."""
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def described():
    """The machine, and what else it was doing."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "processor": field("/proc/cpuinfo", "model name"),
        "megahertz": round(float(field("/proc/cpuinfo", "cpu MHz"))) if field("/proc/cpuinfo", "cpu MHz") != "unknown" else None,
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in field("/proc/cpuinfo", "flags").split(),
        "memory_bytes": int(field("/proc/meminfo", "MemTotal").split()[0]) * 1024,
        "kernel": f"{platform.system()} {platform.release()}",
        "open_files": int(said("sh", "-c", "ulimit -Hn").strip() or 0),
        "load_average_before": os.getloadavg()[0],
    }


def sentence(machine):
    """The same in words."""
    memory = machine["memory_bytes"] / 1024**3
    return (
        f"{machine['cores']} {'virtual ' if machine['virtual'] else ''}cores of {machine['processor']}"
        f" ({machine['megahertz']} MHz), {memory:.1f} GiB, {machine['kernel']}, {machine['date'][:10]}"
    )


def version(tool, program):
    """The version that a load generator says it has."""
    if tool == "hey":
        # It knows no version of its own.
        return said("dpkg-query", "-W", "-f", "${Version}", "hey") or "unknown"
    text = said(program, "-v") if tool == "wrk" else said(program, "--version")
    if tool == "mcpload":
        return text.split()[-1] if text else "unknown"
    found = re.search(r"\d+\.\d+[\w.]*", text)
    return found.group(0) if found else "unknown"


def commit():
    """The commit that was built, as bench.sh says it."""
    return os.environ.get("COMMIT", "unknown")
