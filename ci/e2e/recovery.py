"""Recovery of service after a fault, from the definition in ARCHITECTURE.md ("Recovery")."""

import math
import re
from collections import namedtuple

SIGNIFICANT = 0.001
LEAST_BASELINE = 100
Z_95 = 1.6448536269514722
SECOND = 1_000_000_000
UNITS = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}

Found = namedtuple("Found", "baseline hold width onset service")


def nanoseconds(text):
    """`1s 500ms` in nanoseconds."""
    parts = re.findall(r"([\d.]+)\s*(ns|us|µs|ms|s|m|h)", text)
    return round(sum(float(value) * UNITS[unit.replace("µ", "u")] for value, unit in parts))


def share(value):
    """`1%` or `0.01` as a number."""
    text = str(value)
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


def log_choose(n, k):
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def fisher(bad, total, other_bad, other_total):
    """The chance of at least `bad` of `total`, were both samples of one kind."""
    everything, all_bad = total + other_total, bad + other_bad
    whole = log_choose(everything, all_bad)
    return sum(
        math.exp(log_choose(total, hits) + log_choose(other_total, all_bad - hits) - whole)
        for hits in range(bad, min(total, all_bad) + 1)
        if all_bad - hits <= other_total
    )


def binomial_tail(bad, total, chance):
    """The chance of at least `bad` of `total`."""
    if bad == 0:
        return 1.0
    if chance >= 1.0:
        return 1.0
    return sum(
        math.exp(log_choose(total, hits) + hits * math.log(chance) + (total - hits) * math.log1p(-chance))
        for hits in range(bad, total + 1)
    )


def wilson_upper(bad, total):
    if total == 0:
        return 1.0
    ratio, z2 = bad / total, Z_95 * Z_95
    spread = Z_95 * math.sqrt(ratio * (1 - ratio) / total + z2 / (4 * total * total))
    return (ratio + z2 / (2 * total) + spread) / (1 + z2 / total)


def rate_at(plan, at):
    """Operations a second that the constant profiles intend at this time; None for another load."""
    for phase in plan["phases"]:
        if phase["window"]["start"] <= at < phase["window"]["end"]:
            rates = [
                re.match(r"([\d.]+)/s$", str(load["with"].get("rate", "")))
                for load in phase["loads"].values()
            ]
            return sum(float(rate.group(1)) for rate in rates) if rates and all(rates) else None
    return None


def acted(run, name):
    """From when on a fault acted: the first stop signal of one that asks instances to end, else the proof of its effect."""
    of_fault = [event["at"] for event in run.events if event["event"] in ("slot-stopping", "fault-effective") and event["fault"] == name]
    return min(of_fault)


def recover(run, stats, limits):
    """Onset (ns since the start) and recovery of service (ns after the effect, None if not reached) of one fault."""
    began, effect = stats["began"], acted(run, stats["name"])
    window_end = max(phase["window"]["end"] for phase in run.plan["phases"])
    inside = [call for call in run.operations if max(0, began - 60 * SECOND) <= call["operation_due"] < window_end]
    before = began - max(0, began - 60 * SECOND)

    def is_bad(call):
        took = call["done"] - call["operation_due"]
        applying = [limit for limit, names in limits.values() if not names or call["operation"] in names]
        return call["ends"] != "ok" or (bool(applying) and took > max(applying))

    # What was in flight at the begin belongs to the first bin.
    baseline = [call for call in inside if call["operation_due"] < began and call["done"] < began]
    rate = rate_at(run.plan, began) or len(baseline) / (before / SECOND)
    width = SECOND // 10 if rate >= 300 else SECOND // 2 if rate >= 60 else SECOND
    bad0, total0 = sum(map(is_bad, baseline)), len(baseline)
    errors = [share(slo["promise"]["errors"]["under"]) for slo in run.plan["objectives"] if "errors" in slo["promise"]]
    tolerance = max(min(errors, default=0.01), 2 * bad0 / max(total0, 1) + 0.005)
    least = math.ceil(Z_95 * Z_95 * (1 - tolerance) / tolerance) / rate * SECOND
    holds = [
        nanoseconds(check["spec"]["with"]["hold"])
        for check in run.plan["checks"]
        if check["fault"] == stats["name"] and "hold" in check["spec"]["with"]
    ]
    hold = max(holds[0] if holds else 10 * SECOND, round(least))
    if total0 < LEAST_BASELINE:
        return Found(total0, hold, width, None, None)

    bins = [[0, 0] for _ in range((window_end - began) // width)]
    for call in inside:
        place = (max(call["operation_due"], began) - began) // width
        if (call["operation_due"] >= began or call["done"] >= began) and place < len(bins):
            bins[place][is_bad(call)] += 1
    needed = -(-hold // width)
    goodput = (total0 - bad0) / (before / SECOND)

    def starts(good, bad):
        total = good + bad
        return bad * total0 > bad0 * total and fisher(bad, total, bad0, total0) < SIGNIFICANT

    def violates(good, bad):
        return bad > 0 and binomial_tail(bad, good + bad, tolerance) < SIGNIFICANT

    def served(window):
        good, bad = (sum(column) for column in zip(*window))
        wanted = min(goodput * len(window) * width / SECOND, good + bad)
        return (
            good + bad > 0
            and wilson_upper(bad, good + bad) <= tolerance
            and good >= 0.95 * wanted
            and not any(violates(*each) for each in window)
        )

    onset = next((place for place, each in enumerate(bins) if starts(*each)), None)
    if onset is None:
        return Found(total0, hold, width, None, 0)
    for start in range(onset, len(bins) - needed + 1):
        if served(bins[start : start + needed]):
            after = max(0, began + start * width - effect)
            return Found(total0, hold, width, began + onset * width, after)
    return Found(total0, hold, width, began + onset * width, None)
