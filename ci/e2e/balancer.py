"""Judges a run of scenarios/nginx-restarts.toml by what nginx itself logged of it: processes, servers, times.

Usage: balancer.py RUN_DIR. It shares no code with mcpload, and exits with 1 if something disagrees. Needs zstandard.
"""

import csv
import io
import json
import pathlib
import statistics
import sys
from collections import namedtuple

import zstandard

# Both ways of the fault together, seconds.
LATE = 0.1
FAULT_SECONDS = 3
RATE_OF_ONE = 100 / 3
BACKOFF = 1.0

Served = namedtuple("Served", "at worker status server took")
failures = []


def expect(what, is_so, seen):
    print(f"  {'agrees' if is_so else 'DISAGREES':9}  {what}: {seen}")
    if not is_so:
        failures.append(what)


def lives(served):
    """The times from which to which nginx served, one for each of its lives: workers whose times overlap live together."""
    spans = {}
    for row in served:
        first, last = spans.get(row.worker, (row.at, row.at))
        spans[row.worker] = min(first, row.at), max(last, row.at)
    merged = []
    for first, last in sorted(spans.values()):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged


def main():
    directory = pathlib.Path(sys.argv[1])
    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    bindings = [json.loads(line) for line in (directory / "bindings.jsonl").read_text().splitlines()]
    served = []
    for line in (directory / "instances/balancer-1/access.log").read_text().splitlines():
        at, worker, status, *tried, took = line.replace(", ", ",").split(" ")
        served.append(Served(float(at), int(worker), int(status), " ".join(tried), took))
    served.sort()
    print(f"{len(served)} requests in nginx's log")

    links = {row["link"]: row["instance"].split("#")[0] for row in bindings if row["instance"].startswith("server-")}
    direct = {row["address"] for row in bindings} - set(links)
    tried = {server for row in served for server in row.server.split(",")}
    expect("it knows the servers by their links alone", tried == set(links) and not tried & direct, sorted(tried))

    found = lives(served)
    gaps = [later[0] - earlier[1] for earlier, later in zip(found, found[1:])]
    expect("it lived three times", len(found) == 3, len(found))
    masters = [e["pid"] for e in events if e["event"] == "slot-started" and e["instance"].startswith("balancer-1#")]
    expect("so its slot was started three times", len(set(masters)) == 3, masters)
    # The first request of a life comes when it is there, never before.
    expect("after its death nothing for the back-off", len(gaps) == 2 and gaps[1] >= BACKOFF, [f"{gap:.2f} s" for gap in gaps])
    expect("after its restart sooner", len(gaps) == 2 and gaps[0] < gaps[1], f"{gaps[0]:.2f} s" if gaps else "")

    times = {slot: [] for slot in links.values()}
    for row in served:
        if row.status == 200 and "," not in row.server:
            times[links[row.server]].append(float(row.took))
    far = times.pop("server-2")
    late = [number for number, took in enumerate(far) if took >= LATE]
    near = sum(took >= LATE for others in times.values() for took in others)
    expect("server-2 was late as often as it was asked meanwhile", 0.5 <= len(late) / (FAULT_SECONDS * RATE_OF_ONE) <= 1.5, len(late))
    # Requests are logged at their end, so at both edges a few stand between each other; those on the way when it began are late by half.
    between = late[-1] - late[0] + 1 if late else 0
    expect("in one piece, and never else", late and between <= len(late) + 12, between)
    expect("the others were not", near <= 5, near)

    with open(directory / "calls.csv.zst", "rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        calls = list(csv.DictReader(io.TextIOWrapper(reader, encoding="utf-8", newline="")))
    good = [call for call in calls if call["outcome"] == "ok"]
    logged = sum(row.status == 200 for row in served)
    # A worker that is killed may have answered and not logged; an answer may be lost on its way.
    expect("as many good answers in the log as clients had", abs(logged - len(good)) <= 5, f"{logged} and {len(good)}")
    during = [
        call
        for call in good
        if call["instance"] == "server-2" and (int(call["done"]) - int(call["sent"])) / 1e9 >= LATE
    ]
    expect("clients saw the same of server-2", abs(len(during) - len(late)) <= 5, len(during))
    middle = statistics.median((int(c["done"]) - int(c["sent"])) / 1e9 for c in good if c["instance"] != "server-2")
    expect("and of the others nothing", middle < LATE / 2, f"median {middle * 1e3:.1f} ms")
    if failures:
        sys.exit(f"{len(failures)} disagree: {'; '.join(failures)}")
    print("all agrees")


if __name__ == "__main__":
    main()
