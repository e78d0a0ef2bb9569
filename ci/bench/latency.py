"""Part `open`: what mcpload says of latency at a fixed open rate, against the stub's own log; and its own lag.

    latency.py MCPLOAD OUT.json RATE…              settings: ROUNDS_OPEN (5), SECONDS_OPEN (10)

The stub's times run from the whole request read to the whole answer taken by the system. So service times are the stub's, the
kernel's part twice, and what mcpload waits for its core; response times count from the due time. Figures are medians of rounds.
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile

import generators
import machine
from processes import Others, Stub

ROUNDS = int(os.environ.get("ROUNDS_OPEN", "5"))
SECONDS = int(os.environ.get("SECONDS_OPEN", "10"))
QUANTILES = ("p50", "p99", "p999")


def measure(mcpload, work, rate):
    with Stub(mcpload, 21104) as stub:
        others = Others()
        used, phase = generators.play(mcpload, work, stub, SECONDS, generators.open_rate(rate))
        others = others.share(used["cpu"] + stub.cpu())
        log = stub.log()
    found = {"calls": log["calls"], "not_ok": phase["intended"] - phase["tally"]["ok"], "shed": phase["tally"]["shed"]}
    found |= {"trust": phase["trust"], "reasons": phase["reasons"], "busy": (used["loaded"] or used["cpu"]) / phase["sent_for"], "others": others}
    for name in ("response", "service", "client_wait", "lag"):
        found |= {f"{name}_{quantile}_ns": phase[name][f"{quantile}_ns"] for quantile in QUANTILES}
    return found | {f"stub_{quantile}_ns": log["service_ns"][quantile] for quantile in QUANTILES}


def main():
    mcpload, out, *rates = sys.argv[1:]
    ran_on, found = machine.described(), {rate: [] for rate in rates}
    with tempfile.TemporaryDirectory(dir=pathlib.Path(out).parent) as work:
        for number in range(ROUNDS):
            for rate in rates:
                one = measure(mcpload, work, int(rate))
                found[rate].append(one)
                service, lag = one["service_p99_ns"] / 1e6, one["lag_p99_ns"] / 1e6
                print(f"   {number + 1}: {rate}/s: service p99 {service:.2f} ms, lag p99 {lag:.2f} ms, {one['trust']}", flush=True)
    document = {
        "part": "open",
        "machine": ran_on,
        "commit": machine.commit(),
        "versions": {"mcpload": machine.version("mcpload", mcpload)},
        "settings": {"rounds": ROUNDS, "seconds": SECONDS, "connections": generators.CONNECTIONS},
        "rounds": found,
        "median": {
            rate: {key: statistics.median(one[key] for one in rounds) for key, value in rounds[0].items() if isinstance(value, (int, float))}
            | {"trust": sorted(one["trust"] for one in rounds), "reasons": sorted({reason for one in rounds for reason in one["reasons"]})}
            for rate, rounds in found.items()
        },
    }
    pathlib.Path(out).write_text(json.dumps(document, indent=1) + "\n")


main()
