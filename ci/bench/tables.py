"""Makes the tables out of what the parts measured, prints them, keeps them, and puts them into the README.

    tables.py DIRECTORY README.md                  reads DIRECTORY/*.json, writes DIRECTORY/summary.md

A target that is missed stands here as missed. What a profile shows of it stands in DIRECTORY/notes.md, by hand, one line each.
"""

import json
import pathlib
import sys

import machine

KIB, MIB = 1024, 1024 * 1024
OPEN_MARK, CLOSE_MARK = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def time(nanoseconds):
    if nanoseconds is None:
        return "-"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def judged(holds):
    return "met" if holds else "**missed**"


def count(number):
    return f"{number:,.0f}"


def strangers(shares):
    return f"Other processes took up to {max(shares):.0%} of the machine meanwhile."


def targets_of_cpu(cpu):
    median, ours = cpu["median"], cpu["median"]["mcpload"]["cpu_us"]
    for tool, most in (("oha", 1.0), ("wrk", 1.5)):
        if tool in median:
            ratio = cpu["ratio"][tool]
            figures = f"{ratio:.2f} times ({ours:.1f} us against {median[tool]['cpu_us']:.1f} us)"
            yield f"CPU time per call at most {f'{most:g} times ' if most > 1 else ''}that of {tool}", figures, ratio <= most


def targets_of_open(found):
    for rate, one in found["median"].items():
        if int(rate) == 10_000:
            yield "lag p99 under 1 ms at 10,000/s", time(one["lag_p99_ns"]), one["lag_p99_ns"] < 1e6


def targets_of_memory(found):
    clients = count(found["settings"]["clients"])
    for era, most, what in (("modern", 20, "client"), ("legacy", 45, "session with its stream")):
        kib = found["eras"][era]["bytes_per_client"] / KIB
        yield f"under {most} KiB of memory per {era} {what}, {clients} of them", f"{kib:.1f} KiB", kib < most
    many = [found["eras"][era]["many"] for era in found["eras"]]
    failed, bad = sum(one["sessions_failed"] for one in many), sum(one["bad"] for one in many)
    born = found["eras"]["legacy"]["many"]["sessions_born"] >= found["settings"]["clients"]
    yield "no failed session", f"{failed} sessions failed, {bad} bad operations", failed == 0 and born
    ready = [one["ready_seconds"] for one in many]
    slowest = None if None in ready else max(ready)
    yield "ready in under 20 s", "never" if slowest is None else f"{slowest:.1f} s", slowest is not None and slowest < 20


def targets_of_report(found):
    one, calls = found["median"], count(found["median"]["calls"])
    yield f"report on {calls} calls in under 20 s", f"{one['seconds']:.1f} s", one["seconds"] < 20
    yield "in under 500 MiB", f"{one['peak_bytes'] / MIB:.0f} MiB", one["peak_bytes"] < 500 * MIB


def cost(cpu):
    settings, median = cpu["settings"], cpu["median"]
    half, asked = cpu["rates"]["half"], cpu["rates"]["asked"]
    yield (
        f"Modern `tools/call`, {settings['connections']} connections, generator and stub on a core each; medians of"
        f" {settings['rounds']} rounds of {settings['seconds']} s, in which the tools take turns. mcpload parses, validates, compares"
        f" and records every call; the others read its status and send the same bytes. They are closed loops; mcpload is asked for more than"
        f" it can do ({count(asked)}/s, nothing shed), so that its connections are always busy too. CPU time is user and system time of all"
        " processes of the tool, from its start to the end of its load; calls are those that the stub counted."
        f" {strangers(one['others'] for one in median.values())}"
    )
    yield ""
    rows = []
    for name, one in sorted(median.items(), key=lambda item: item[1]["cpu_us"]):
        version = cpu["versions"].get(name.partition(",")[0], "")
        label = f"mcpload {version} at {count(half)}/s" if name == "mcpload, half" else f"{name} {version}"
        spread = [found[name]["cpu_us"] for found in cpu["rounds"]]
        row = [label, f"{one['cpu_us']:.2f} us", f"{min(spread):.2f} to {max(spread):.2f}", count(one["per_second"])]
        row += [f"{one['generator_busy']:.0%}", f"{one['stub_busy']:.0%}", count(1e6 / one["cpu_us"])]
        row.append(f"{cpu['ratio'][name]:.2f}" if name in cpu["ratio"] else "")
        rows.append(row)
    head = ["generator", "CPU per call", "from, to", "calls/s", "its core busy", "the stub's", "calls per second of CPU", "mcpload costs, times"]
    yield from table(head, rows)
    report = median["mcpload"]["command_cpu_us"] - median["mcpload"]["cpu_us"]
    yield f"The report that mcpload makes after the load costs {report:.2f} us a call more."
    yield ""


def latency(found):
    settings = found["settings"]
    yield (
        f"Open arrivals from {settings['connections']} clients against the stub's own log (request read to answer written); medians of"
        f" {settings['rounds']} rounds of {settings['seconds']} s. Service counts from the sending, response from the due time."
        f" {strangers(one['others'] for one in found['median'].values())}"
    )
    yield ""
    rows = []
    for rate, one in found["median"].items():
        for quantile in ("p50", "p99", "p999"):
            names = ("stub", "service", "response", "client_wait", "lag")
            label = {"p50": "p50", "p99": "p99", "p999": "p99.9"}[quantile]
            rows.append([f"{count(int(rate))}/s", label, *(time(one[f"{name}_{quantile}_ns"]) for name in names)])
    yield from table(["rate", "", "the stub's log", "service", "response", "client wait", "lag"], rows)
    for rate, one in found["median"].items():
        if one["not_ok"] or set(one["trust"]) != {"valid"}:
            grades = ", ".join(f"{one['trust'].count(grade)} of {len(one['trust'])} {grade}" for grade in sorted(set(one["trust"])))
            reasons = "; ".join(["", *one.get("reasons", [])])
            yield f"At {count(int(rate))}/s: {one['not_ok']:.0f} operations not ok; rounds graded {grades}{reasons}."
            yield ""


def memory(found):
    settings = found["settings"]
    yield (
        f"{count(settings['clients'])} clients of {settings['workers']} workers, direct to {settings['servers']} reference servers, a call each"
        f" {settings['a_call_each_seconds']} s, for {settings['seconds']} s: greatest resident memory of the workers less that of ten clients."
    )
    yield ""
    rows = []
    for era, one in found["eras"].items():
        many = one["many"]
        row = [era, f"{one['bytes_per_client'] / KIB:.1f} KiB", f"{many['resident_bytes'] / MIB:.0f} MiB", count(many["open_files"])]
        ready = "never" if many["ready_seconds"] is None else f"{many['ready_seconds']:.1f} s"
        row += [ready, count(many["sessions_born"]), count(many["streams"]), str(many["sessions_failed"]), f"{many['bad']} of {count(many['due'])}"]
        rows.append(row)
    head = ["era", "per client", "both workers", "files open in one", "ready in", "sessions", "streams", "failed", "bad operations"]
    yield from table(head, rows)


def length(found):
    one = found["median"]
    yield (
        f"`mcpload report` on {count(one['calls'])} calls ({found['run_bytes'] / MIB:.0f} MiB on disk): {one['seconds']:.1f} s,"
        f" {one['cpu']:.1f} s of CPU time, {one['peak_bytes'] / MIB:.0f} MiB at most."
    )
    yield ""


PARTS = {
    "cpu": (targets_of_cpu, cost),
    "open": (targets_of_open, latency),
    "memory": (targets_of_memory, memory),
    "report": (targets_of_report, length),
}


def summary(directory):
    found = {}
    for part in PARTS:
        path = directory / f"{part}.json"
        if path.exists():
            found[part] = json.loads(path.read_text())
    if not found:
        raise SystemExit("no part was measured yet")
    machines = {}
    for part, document in found.items():
        machines.setdefault(machine.sentence(document["machine"]) + f", commit {document['commit']}", []).append(part)
    lines = [f"{', '.join(parts)}: {words}." if len(machines) > 1 else f"On {words}." for words, parts in machines.items()]
    # A line break of Markdown between them.
    lines = ["  \n".join(lines), ""]
    rows = [(f"{target}", figures, judged(met)) for part, document in found.items() for target, figures, met in PARTS[part][0](document)]
    lines += table(["target", "measured", ""], rows)
    notes = directory / "notes.md"
    if notes.exists():
        lines += [notes.read_text().strip(), ""]
    for part, document in found.items():
        lines += PARTS[part][1](document)
    return "\n".join(lines).rstrip() + "\n"


def main():
    directory, readme = map(pathlib.Path, sys.argv[1:])
    text = summary(directory)
    (directory / "summary.md").write_text(text)
    before, _, rest = readme.read_text().partition(OPEN_MARK)
    _, _, after = rest.partition(CLOSE_MARK)
    if not rest:
        raise SystemExit(f"{readme} has no place for the benchmarks")
    readme.write_text(before + OPEN_MARK + text + CLOSE_MARK + after)
    print(text, end="")


main()
