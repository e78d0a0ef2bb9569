"""Reads histograms.hlog with HdrHistogram's own log reader for Python, and compares its sums with summary.json."""

from collections import defaultdict

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

# The bounds of the format: a microsecond to ten minutes, three significant digits.
BOUNDS = (1_000, 600_000_000_000, 3)
SHARES = {"p50_ns": 0.5, "p99_ns": 0.99}


def sums_by_tag(path):
    reader = HistogramLogReader(str(path), HdrHistogram(*BOUNDS))
    sums = defaultdict(lambda: HdrHistogram(*BOUNDS))
    intervals = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        intervals += 1
        sums[interval.get_tag()].add(interval)
    return intervals, sums


def quantile(histogram, above, share):
    """The value of rank ceil(share * n) with so many `above` all of them; None if it falls on one of these."""
    rank = max(1, -(-round(share * 1000) * (histogram.get_total_count() + above) // 1000))
    for item in histogram.get_recorded_iterator():
        if item.total_count_to_this_value >= rank:
            return histogram.get_highest_equivalent_value(item.value_iterated_to)
    return None


def check_histograms(run, compare):
    print("HdrHistogram's own reader opens histograms.hlog")
    path = run.directory / "histograms.hlog"
    intervals, sums = sums_by_tag(path)
    compare("intervals", intervals, sum(line.startswith("Tag=") for line in path.read_text().splitlines()))

    def summed(measure, wanted):
        total = HdrHistogram(*BOUNDS)
        for tag, histogram in sums.items():
            parts = tag.split("/")
            if len(parts) == 5 and parts[0] == measure and wanted(*parts[1:]):
                total.add(histogram)
        return total

    def check(what, measure, stats, shed, wanted):
        total = summed(measure, wanted)
        above = shed + summed("response-bad", wanted).get_total_count() if measure == "response" else 0
        compare(f"{what}: {measure} samples", total.get_total_count() + above, stats["samples"])
        for name, share in SHARES.items():
            compare(f"{what}: {measure} {name[:-3]}", quantile(total, above, share), stats[name])

    for phase in run.summary["analysis"]["phases"]:
        wanted = lambda workload, operation, protocol, of: operation != "session" and of == phase["name"]
        for measure in ("response", "service", "lag"):
            check(f"phase {phase['name']}", measure, phase[measure], phase["tally"]["shed"], wanted)
    for stats in run.summary["analysis"]["operations"]:
        label = (stats["workload"], stats["operation"], stats["protocol"])
        wanted = lambda *of: of[:3] == label and of[3] in run.measured
        for measure in ("response", "service"):
            check(f"{label[1]} {label[2]}", measure, stats[measure], stats["tally"]["shed"], wanted)
