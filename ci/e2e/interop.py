"""Judges a run against a server that speaks as it should: every call ended ok or is explained, and nothing was left out.

Usage: interop.py RUN_DIR CASE COUNT. Prints one line, or what is wrong; exits with 1 then. Needs pandas.
"""

import fnmatch
import json
import pathlib
import sys

import pandas

# Calls that may end otherwise than ok: the case (a pattern), what the rows have in common, and why. One that does not occur in a
# case that it names is stale, and fails too.
EXPLAINED = [
    (
        "everything",
        {"operation": "session", "method": "server/discover", "class": "json-rpc", "code": -32000},
        "a client that finds out what is spoken asks in the modern era first; this server knows the legacy one alone",
    ),
    (
        "reference-stateless",
        {"method": "resources/subscribe", "class": "json-rpc", "code": -32600},
        "without sessions there is nobody to notify, and our server says so",
    ),
]


def main():
    directory, case, count = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    plan = json.loads((directory / "plan.json").read_text())
    calls = pandas.read_csv(directory / "calls.csv.zst", low_memory=False)
    sessions = pandas.read_csv(directory / "sessions.csv.zst")
    counts = pandas.read_csv(directory / "counts.csv")
    wrong, notes = [], []

    bad, explained = calls.outcome != "ok", pandas.Series(False, index=calls.index)
    for pattern, same, reason in EXPLAINED:
        if fnmatch.fnmatch(case, pattern):
            hit = bad & (calls[list(same)] == pandas.Series(same)).all(axis=1)
            bad &= ~hit
            explained |= hit
            notes.append(f"{hit.sum()} explained ({reason})")
            if not hit.any():
                wrong.append(f"the explanation is stale: {same}")
    if bad.any():
        columns = ["workload", "operation", "protocol", "method", "outcome", "class", "code"]
        wrong.append("unexplained:\n" + calls[bad].groupby(columns, dropna=False).size().to_string())

    if len(calls) < count:
        wrong.append(f"{len(calls)} calls, not {count}")
    for column in ("shed", "unrecorded"):
        if counts[column].sum():
            wrong.append(f"{counts[column].sum()} {column}")
    lost = sessions[sessions.transition.isin(["lost", "failed", "re-established"])]
    if len(lost):
        wrong.append("sessions:\n" + lost.to_string())
    for workload in plan["workloads"]:
        own = calls.workload == workload["name"]
        wrong += left_out(workload, calls[own], set(calls[own & explained].operation))

    if wrong:
        print(f"{case}: " + "\n".join(wrong))
        sys.exit(1)
    versions = " ".join(f"{version}={number}" for version, number in calls.groupby("protocol").size().items())
    transports = " ".join(sorted({workload["transport"] for workload in plan["workloads"]}))
    given_up = (calls["class"] == "cancelled").sum()
    print(f"{case}: {len(calls)} calls over {transports}, {given_up} given up; {versions}" + "".join(f"; {note}" for note in notes))


def left_out(workload, calls, explained):
    """What the workload was told to do and has not done; what comes after a step that is explained need not be done."""
    name = workload["name"]
    for operation in workload["operations"]:
        if not operation["weight"]:
            continue
        mine = calls[calls.operation == operation["name"]]
        for step in operation["steps"]:
            # Each era has its own word for it.
            methods = {"ping", "server/discover"} if step["method"] in ("ping", "server/discover") else {step["method"]}
            if not mine.method.isin(methods).any() and operation["name"] not in explained:
                yield f"{name}: {operation['name']} has not called {step['method']}"
        if operation["cancel"] and not (mine["class"] == "cancelled").any():
            yield f"{name}: no call of {operation['name']} was given up"
    arrived = calls[calls.arrival.notna()]
    for version, weight in workload["protocols"]:
        if weight and version != "auto" and not (arrived.protocol == version).any():
            yield f"{name}: nobody spoke {version}"
        if weight and version == "auto" and not ((calls.operation == "session") & (calls.method == "server/discover")).any():
            yield f"{name}: nobody found out what is spoken"
    if workload["listen"]:
        # A legacy server without sessions has nobody to send anything to: clients end theirs where they have one.
        listens = {"GET": (calls.method == "DELETE").any(), "subscriptions/listen": (arrived.protocol >= "2026").any()}
        for method, is_due in listens.items():
            if is_due and not (calls.method == method).any():
                yield f"{name}: nobody listened with {method}"


if __name__ == "__main__":
    main()
