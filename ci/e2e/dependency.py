"""Looks at Redis itself while scenarios/redis.toml is played, and then judges what the run says of it.

It shares no code with mcpload: it asks Redis for its INFO beside the link, reads what the servers wrote of their uses of Redis, and
compares both with the faults in events.jsonl. Usage: dependency.py RUN_DIR limited|unlimited, started with the run; `limited` if the
servers wait for Redis for a bounded time. Ends with the run; exits with 1 if something disagrees. Needs zstandard.
"""

import csv
import io
import json
import pathlib
import socket
import sys
import time
from collections import Counter

import zstandard

POLL_EVERY = 0.1
# Bounds of the waits: for the fleet, and for the end of the run after that.
FLEET_WITHIN = 60
END_WITHIN = 120
# Longer than a pause of our own on a busy machine, and shorter than every fault.
ANSWER_WITHIN = 0.5
# Around the begin and the end of a fault nothing is expected: the clocks of process and run are compared to a few hundredths.
MARGIN = 300_000_000

failures = []


def expect(what, is_so, seen=""):
    print(f"  {'agrees' if is_so else 'DISAGREES':9}  {what}{f': {seen}' if seen != '' else ''}")
    if not is_so:
        failures.append(what)


def lines_of(path):
    """The whole lines of a file that is still written; none if it is not there yet."""
    try:
        return [json.loads(line) for line in path.read_text().split("\n")[:-1] if line.startswith("{")]
    except FileNotFoundError:
        return []


def wait_for(find, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = find()
        if found:
            return found
        time.sleep(0.05)
    sys.exit("dependency.py: waited in vain")


class Poll:
    """One look at Redis: when, and what it said; None if it could not be reached, or did not answer in time."""

    def __init__(self, address):
        self.at = time.monotonic_ns()
        self.refused = False
        self.info = None
        try:
            with socket.create_connection(address, ANSWER_WITHIN) as stream:
                stream.settimeout(ANSWER_WITHIN)
                stream.sendall(b"INFO\r\nGET calls\r\nQUIT\r\n")
                said = b""
                while part := stream.recv(65536):
                    said += part
        except ConnectionRefusedError:
            self.refused = True
            return
        except OSError:
            return
        text = said.decode()
        self.info = dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)
        self.process = int(self.info["process_id"])
        # What GET answers stands before what QUIT does: a length and the number, or $-1.
        counter = text.split("\r\n")[-3]
        self.counter = 0 if counter == "$-1" else int(counter)


def started_at(pid):
    """When a process was started, in nanoseconds of the monotonic clock."""
    ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return ticks * 10_000_000


def look(directory):
    """Polls until the run has ended; what was seen, and the beginning of the run on the monotonic clock."""
    events = directory / "events.jsonl"
    first = wait_for(
        lambda: next((e for e in lines_of(events) if e["event"] == "slot-started" and e["instance"] == "redis-1#1"), None),
        FLEET_WITHIN,
    )
    begin = started_at(first["pid"]) - first["at"]
    host, _, port = first["address"].rpartition(":")
    polls, until = [], time.monotonic() + END_WITHIN
    while not any(event["event"] == "run-ended" for event in lines_of(events)):
        if time.monotonic() > until:
            sys.exit("dependency.py: the run does not end")
        polls.append(Poll((host, int(port))))
        time.sleep(POLL_EVERY)
    for poll in polls:
        poll.at -= begin
    return polls, begin


def main():
    directory, limited = pathlib.Path(sys.argv[1]), sys.argv[2] == "limited"
    polls, begin = look(directory)
    events = lines_of(directory / "events.jsonl")
    span = {}
    for event in events:
        if event["event"] == "fault-effective":
            span[event["fault"]] = [event["at"], None]
        if event["event"] in ("fault-healing", "fault-heal-proven"):
            # The undo of one that lasts; of a kill, that the next instance is ready.
            key = "fault-heal-proven" if event["fault"] == "redis-dies" else "fault-healing"
            if event["event"] == key:
                span[event["fault"]][1] = event["at"]
    inside = lambda fault: [p for p in polls if span[fault][0] + MARGIN < p.at < span[fault][1] - MARGIN]
    answered = [poll for poll in polls if poll.info]
    print(f"{len(polls)} looks at Redis, {len(answered)} answered")

    print("redis-dies: another process, with all that was acknowledged")
    processes = list(dict.fromkeys(poll.process for poll in answered))
    expect("two processes, one after the other", len(processes) == 2, processes)
    dead = span["redis-dies"][0]
    expect("the first says nothing after its end", all(p.at < dead + MARGIN for p in answered if p.process == processes[0]))
    expect("its port refuses while it is down", all(p.refused for p in inside("redis-dies")) and inside("redis-dies"))
    ages = [int(p.info["uptime_in_seconds"]) for p in answered if p.process == processes[-1]]
    expect("the second began anew", ages and min(ages) <= 1, ages[:1])

    print("redis-hangs: it takes connections and says nothing")
    hung = [p for p in inside("redis-hangs") if p.at + ANSWER_WITHIN * 1e9 < span["redis-hangs"][1] - MARGIN]
    expect("no look is answered, none refused", hung and not any(p.info or p.refused for p in hung), len(hung))

    print("network-silent: Redis works, and nothing reaches it")
    silent = inside("network-silent")
    expect("every look beside the link is answered", silent and all(p.info for p in silent), len(silent))
    counts = {p.counter for p in silent if p.info}
    expect("the counter stands still", len(counts) == 1, counts)
    after = [p.counter for p in answered if p.at > span["network-silent"][1]]
    expect("and goes on afterwards", after and max(after) > max(counts), after[-1:])

    with open(directory / "calls.csv.zst", "rb") as raw:
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        calls = list(csv.DictReader(io.TextIOWrapper(reader, encoding="utf-8", newline="")))
    counted = [call for call in calls if call["operation"] == "count" and call["sent"]]
    good = sum(call["outcome"] == "ok" for call in counted)
    last = answered[-1].counter
    print(f"the tool's answers: {len(counted)} calls of count, {good} ok; Redis counted {last}")
    expect("no acknowledged increment is lost", last >= good - sum(int(c["done"]) > answered[-1].at for c in counted))
    # Each is tried twice at most.
    expect("none is counted that was not asked for", last <= 2 * len(counted))

    errors = [line for server in (1, 2) for line in lines_of(directory / f"instances/server-{server}/stdout-1.log")]
    # Those that began and ended while it acted; its end resets who still waits.
    within = lambda fault: [
        e for e in errors if span[fault][0] < e["at"] - begin and e["at"] + e["took"] - begin < span[fault][1] - MARGIN
    ]
    took = lambda fault: max((e["took"] / 1e9 for e in within(fault)), default=0)
    print("what the servers say of their uses of Redis")
    dying = Counter(e["error"] for e in within("redis-dies"))
    expect("a dead Redis is refused at once", set(dying) == {"ConnectionError"} and took("redis-dies") < 0.25, dict(dying))
    lost = Counter(e["error"] for e in within("network-silent"))
    if limited:
        # Two tries of 0.25 s, and threads that wait for a processor.
        expect("a silent one costs two time limits", set(lost) == {"TimeoutError"} and took("network-silent") < 2, dict(lost))
    else:
        expect("who waits for a silent one waits until it is back", not lost, dict(lost))
    slow = [c for c in calls if c["operation"] == "add" and c["phase"] == "silent" and int(c["done"]) - int(c["due"]) > 500_000_000]
    share = len(slow) / sum(c["operation"] == "add" and c["phase"] == "silent" for c in calls)
    expect("the tool without Redis is " + ("as fast as ever" if limited else "taken away, too"), (share < 0.03) == limited, f"{share:.1%} slow")
    if failures:
        sys.exit(f"{len(failures)} disagree: {'; '.join(failures)}")
    print("all agrees")


if __name__ == "__main__":
    main()
