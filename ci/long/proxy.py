"""What a proxy on the link costs: the times of calls over many connections at an open rate, straight to the stub and through `mcpload wire`.

    proxy.py MCPLOAD               settings: CLIENTS (1000), RATE (5000), SECONDS (10), ROUNDS (3), CORE (the last) of the proxy

Straight, as bytes, and as HTTP with named answers take turns; figures are medians of rounds. Fails if the median call costs
LIMIT_US (100) more than straight, or a call did not end ok. Needs a release build and a machine that does nothing else.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import generators  # noqa: E402
from processes import HOST, SERVER_CORE, Others, Stub, cpu, pinned  # noqa: E402

CLIENTS = int(os.environ.get("CLIENTS", "1000"))
RATE = int(os.environ.get("RATE", "5000"))
SECONDS = int(os.environ.get("SECONDS", "10"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CORE = int(os.environ.get("CORE", str(SERVER_CORE)))
LIMIT_US = float(os.environ.get("LIMIT_US", "100"))
STUB_PORT = 21121
PATHS = ("straight", "bytes", "http")


class Wire:
    """A proxy before the stub; its channel is held by this process, so that it ends with it."""

    def __init__(self, mcpload, http):
        self.channel, theirs = socket.socketpair()
        self.process = subprocess.Popen(pinned(CORE, [mcpload, "wire"]), stdin=theirs)
        theirs.close()
        self.lines = self.channel.makefile("r", encoding="utf-8")
        start = {"listen": f"{HOST}:0", "upstream": f"{HOST}:{STUB_PORT}", "seed": 1, "http": http, "instance": "server-1#1" if http else None}
        self.url = f"http://{self.ask(start | {'ask': 'start'})['address']}/mcp"

    def ask(self, ask):
        self.channel.sendall(json.dumps(ask).encode() + b"\n")
        return json.loads(self.lines.readline())

    def status(self):
        return self.ask({"ask": "status"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.channel.close()
        self.process.wait(30)


class Straight:
    """No proxy."""

    url = f"http://{HOST}:{STUB_PORT}/mcp"
    process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def measure(mcpload, work, path):
    with Stub(mcpload, STUB_PORT) as stub, Straight() if path == "straight" else Wire(mcpload, path == "http") as wire:
        others = Others()
        used, phase = generators.play(mcpload, work, wire, SECONDS, generators.open_rate(RATE))
        spent = cpu(wire.process.pid)[0] if wire.process else 0
        others = others.share(used["cpu"] + stub.cpu() + spent)
        accepted = wire.status()["accepted"] if wire.process else None
    if accepted is not None and accepted < CLIENTS:
        raise SystemExit(f"only {accepted} connections went through the proxy")
    found = {"not_ok": phase["intended"] - phase["tally"]["ok"], "others": others, "proxy_us": spent / phase["intended"] * 1e6}
    for name in ("service", "response"):
        found |= {f"{name}_{quantile}_us": phase[name][f"{quantile}_ns"] / 1e3 for quantile in ("p50", "p99")}
    return found


def main():
    mcpload = os.path.realpath(sys.argv[1])
    generators.CONNECTIONS = CLIENTS
    rounds = {path: [] for path in PATHS}
    with tempfile.TemporaryDirectory() as work:
        for number in range(ROUNDS):
            for path in PATHS:
                one = measure(mcpload, work, path)
                rounds[path].append(one)
                figures = ", ".join(f"{key} {value:.3g}" for key, value in one.items())
                print(f"   {number + 1}: {path}: {figures}", flush=True)
    failed = any(one["not_ok"] for ones in rounds.values() for one in ones)
    middle = {path: {key: statistics.median(one[key] for one in ones) for key in ones[0]} for path, ones in rounds.items()}
    print(f"{CLIENTS} connections, {RATE} calls a second, {ROUNDS} rounds of {SECONDS} s; medians:")
    for path, of in middle.items():
        print(f"   {path}: service p50 {of['service_p50_us']:.0f} us, p99 {of['service_p99_us']:.0f} us; proxy {of['proxy_us']:.1f} us of CPU a call")
    for path in PATHS[1:]:
        more = middle[path]["service_p50_us"] - middle["straight"]["service_p50_us"]
        failed |= more >= LIMIT_US
        print(f"   {path}: {more:.0f} us more than straight at p50, {'under' if more < LIMIT_US else 'NOT UNDER'} {LIMIT_US:.0f} us")
    sys.exit(1 if failed else 0)


main()
