"""Part `memory`: what 10,000 concurrent clients cost, from two worker processes direct to three reference servers, a call each 10 s.

    memory.py MCPLOAD OUT.json                     settings: CLIENTS (10000), MEMORY_SECONDS (60)

For each era a run with that many clients and one with ten: resident memory of the workers at its greatest, less that of ten clients,
over the clients. Legacy clients hold a session and their GET stream open. Ready is the time from the start of the workers, which is when
the fleet is ready, until the last of them says that it is.
"""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import machine

CLIENTS = int(os.environ.get("CLIENTS", "10000"))
SECONDS = int(os.environ.get("MEMORY_SECONDS", "60"))
FEW = 10
WORKERS = 2
SERVERS = 3
EVERY = 10

SCENARIO = """version = 1
name = "memory"
workers = {workers}
[fleet]
driver = "process"
endpoint = {{ role = "server" }}
[fleet.role.server]
replicas = {servers}
[workload]
clients = {clients}
protocol = {{ "{protocol}" = 1 }}
listen = "{listen}"
[[workload.operation]]
tool = "echo"
arguments = {{ text = "hello" }}
timeout = "10s"
[[phase]]
name = "steady"
duration = "{seconds}s"
rate = "{rate}/s"
"""

ERAS = {"modern": ("2026-07-28", "0%"), "legacy": ("2025-11-25", "100%")}


def play(mcpload, work, era, clients):
    """One run: the workers' resident memory together, and how its set-up and its calls went."""
    protocol, listen = ERAS[era]
    path, out = pathlib.Path(work) / "memory.toml", pathlib.Path(work) / "run"
    shutil.rmtree(out, ignore_errors=True)
    facts = {"protocol": protocol, "listen": listen, "clients": clients, "rate": max(clients // EVERY, 1)}
    path.write_text(SCENARIO.format(workers=WORKERS, servers=SERVERS, seconds=SECONDS, **facts))
    command = [mcpload, "run", str(path), "--out", str(out), "--on-inconclusive", "warn"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 240, check=False)
    summary = out / "report/summary.json"
    if not summary.exists():
        raise SystemExit(f"mcpload made no report:\n{done.stdout}{done.stderr}")
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    analysis = json.loads(summary.read_text())["analysis"]
    fleet = min(event["at"] for event in events if event["event"] == "fleet-ready")
    ready = [event["at"] for event in events if event["event"] == "worker-ready"]
    resident, files = {}, {}
    with open(out / "samples.csv", newline="", encoding="utf-8") as samples:
        for row in csv.DictReader(samples):
            if row["slot"].startswith("worker-"):
                kept = {"process_resident_memory_bytes": resident, "process_open_fds": files}.get(row["metric"])
                if kept is not None:
                    kept[row["slot"]] = max(kept.get(row["slot"], 0), float(row["value"]))
    shutil.rmtree(out, ignore_errors=True)
    sessions, whole = analysis["sessions"], analysis["whole"]
    return {
        "clients": clients,
        "resident_bytes": sum(resident.values()),
        "open_files": max(files.values(), default=0),
        "ready_seconds": (max(ready) - fleet) / 1e9 if ready else None,
        "workers_ready": len(ready),
        "sessions_born": sessions["born"],
        "sessions_failed": sessions["failed"] + sessions["lost"],
        "streams": sessions["streams"],
        "streams_cut": sessions["streams_cut"],
        "due": whole["due"],
        "bad": whole["fail"] + whole["info"] + whole["shed"],
        "exit": done.returncode,
        "ending": analysis["ending"],
        "verdict": analysis["trust"][0]["trust"] if analysis["trust"] else "unknown",
    }


def main():
    mcpload, out = sys.argv[1:]
    ran_on, eras = machine.described(), {}
    with tempfile.TemporaryDirectory(dir=pathlib.Path(out).parent) as work:
        for era in ERAS:
            few, many = play(mcpload, work, era, FEW), play(mcpload, work, era, CLIENTS)
            per_client = (many["resident_bytes"] - few["resident_bytes"]) / (CLIENTS - FEW)
            eras[era] = {"few": few, "many": many, "bytes_per_client": per_client}
            ready = "never" if many["ready_seconds"] is None else f"{many['ready_seconds']:.1f} s"
            print(f"   {era}: {per_client / 1024:.1f} KiB a client, ready in {ready}, {many['sessions_failed']} sessions failed", flush=True)
    document = {
        "part": "memory",
        "machine": ran_on,
        "commit": machine.commit(),
        "versions": {"mcpload": machine.version("mcpload", mcpload)},
        "settings": {"clients": CLIENTS, "workers": WORKERS, "servers": SERVERS, "seconds": SECONDS, "a_call_each_seconds": EVERY},
        "eras": eras,
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=1) + "\n")


main()
