"""Part `cpu`: what a call costs the generator, side by side with others that send the same bytes; and mcpload at half of its most.

    cpu.py MCPLOAD OUT.json [TOOL=PROGRAM…]        settings: PAIRS (5), SECONDS_EACH (8)

Each measurement has a fresh stub. In each round every tool is measured once, in an order that turns; figures are medians of rounds.
Calls are those that the stub counted, for all tools alike. CPU time is user and system time of the generator and all its children, from
its start on; of mcpload that is conductor and worker with set-up, recording and compression, until its last worker has ended. What the
report costs after that (once a run, no load) stands beside it as `command`. goose is left out: it is a library, and what one would
measure of it is the program that one writes with it.
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import generators
import machine
from processes import Others, Stub, run

PAIRS = int(os.environ.get("PAIRS", "5"))
SECONDS = int(os.environ.get("SECONDS_EACH", "8"))
# How much more than it can do mcpload is asked for, so that all of its connections are always busy, as those of closed loops are.
EXCESS = 1.3
TRIAL = (50_000, 3)


def capacity(mcpload, work):
    """Calls that a second of CPU time is enough for, when mcpload is asked for too much: only to choose the rates of what is measured."""
    rate, seconds = TRIAL
    while True:
        with Stub(mcpload, 21102) as stub:
            used, phase = generators.play(mcpload, work, stub, seconds, generators.open_rate(rate))
        done = phase["tally"]["ok"] / (used["loaded"] or used["cpu"])
        print(f"   asked for {rate}/s, it does {done:.0f} calls in a second of CPU time", flush=True)
        if done < rate * 0.9:
            return done
        rate *= 2


def measure(work, mcpload, programs, request, name, play):
    """One measurement: what the generator and the stub used for how many calls."""
    headers, body = request
    with Stub(mcpload, 21103) as stub:
        before = stub.log()["calls"]
        stub_before, others, phase = stub.cpu(), Others(), None
        if play:
            used, phase = generators.play(mcpload, work, stub, *play)
        else:
            command = generators.PEERS[name](programs[name], work, headers, body, stub.url, SECONDS)
            used = run(command, SECONDS + 30, output=f"{work}/{name}.txt")
            if used["status"]:
                raise SystemExit(f"{name} failed:\n{pathlib.Path(work, f'{name}.txt').read_text()}")
        stub_cpu = stub.cpu() - stub_before
        others = others.share(used["cpu"] + stub_cpu)
        calls = stub.log()["calls"] - before
    if not calls:
        raise SystemExit(f"{name} made no calls")
    loaded = used["loaded"] or used["cpu"]
    seconds = phase["sent_for"] if phase else SECONDS
    found = {
        "calls": calls,
        "per_second": calls / seconds,
        "cpu_us": loaded / calls * 1e6,
        "command_cpu_us": used["cpu"] / calls * 1e6,
        "generator_busy": loaded / seconds,
        "stub_cpu_us": stub_cpu / calls * 1e6,
        "stub_busy": stub_cpu / seconds,
        "others": others,
    }
    if phase:
        # "Every call recorded" is part of what is compared.
        if phase["tally"]["unrecorded"]:
            raise SystemExit(f"{name} dropped {phase['tally']['unrecorded']} rows")
        found |= {"not_ok": phase["intended"] - phase["tally"]["ok"], "trust": phase["trust"]}
    return found


def main():
    mcpload, out, *pairs = sys.argv[1:]
    programs = dict(pair.split("=", 1) for pair in pairs)
    ran_on = machine.described()
    with tempfile.TemporaryDirectory(dir=pathlib.Path(out).parent) as work:
        headers, body = generators.captured(mcpload, work)
        most = capacity(mcpload, work)
        asked, half = round(most * EXCESS), round(most / 2)
        plays = {
            "mcpload": (max(round(SECONDS / EXCESS), 1), generators.open_rate(asked)),
            "mcpload, half": (SECONDS, generators.open_rate(half)),
        }
        turns = ["mcpload", *programs, "mcpload, half"]
        rounds = []
        for number in range(PAIRS):
            shift = number % len(turns)
            # Whoever is first in one round is last in the next.
            order = turns[shift:] + turns[:shift]
            found = {}
            for name in order:
                found[name] = measure(work, mcpload, programs, (headers, body), name, plays.get(name))
                one = found[name]
                print(f"   {number + 1}: {name}: {one['cpu_us']:.2f} us a call, {one['per_second']:.0f}/s", flush=True)
                time.sleep(0.5)
            rounds.append(found)
    document = {
        "part": "cpu",
        "machine": ran_on,
        "commit": machine.commit(),
        "versions": {"mcpload": machine.version("mcpload", mcpload)} | {tool: machine.version(tool, program) for tool, program in programs.items()},
        "settings": {"rounds": PAIRS, "seconds": SECONDS, "connections": generators.CONNECTIONS, "excess": EXCESS},
        "request": {"headers": headers, "body": body},
        "rates": {"asked": asked, "half": half},
        "rounds": rounds,
        "median": {
            name: {
                key: statistics.median(found[name][key] for found in rounds)
                for key, value in rounds[0][name].items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            }
            for name in turns
        },
        # Ratios within a round first, then the median: what the machine does to both in a round cancels out.
        "ratio": {tool: statistics.median(found["mcpload"]["cpu_us"] / found[tool]["cpu_us"] for found in rounds) for tool in programs},
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=1) + "\n")


main()
