"""Opens the tables of a run directory with pandas and DuckDB, as somebody without mcpload does."""

import duckdb
import pandas

COLUMNS = {
    "calls.csv.zst": """done operation_due due taken sent first_byte first_event connect_ns tls_ns worker workload operation
        arrival step attempt client session protocol method target phase outcome class code instance bytes_in bytes_out
        ends""",
    "sessions.csv.zst": "at worker workload client session protocol transition instance cause missed doubled",
    "counts.csv": """second worker phase workload operation protocol arrivals shed unrecorded left_out operations_ok operations_fail
        operations_info calls_ok calls_fail calls_info""",
    "samples.csv": "at slot metric labels value",
}


def check_tables(run, compare):
    print("pandas and DuckDB open the tables")
    for name, columns in COLUMNS.items():
        path = str(run.directory / name)
        frame = pandas.read_csv(path)
        found = [column for column in frame.columns if not column.startswith("over_")]
        compare(f"{name}: columns", found, columns.split())
        compare(f"{name}: rows", len(frame), duckdb.sql(f"select count(*) from read_csv('{path}')").fetchall()[0][0])
    calls = pandas.read_csv(run.directory / "calls.csv.zst", low_memory=False)
    ended = calls[calls["arrival"].notna() & calls["ends"].notna()]
    compare("operations, with pandas", len(ended), len(run.operations))
    bad = ended[ended["ends"] != "ok"]
    compare("bad operations, with pandas", len(bad), sum(call["ends"] != "ok" for call in run.operations))
    first = duckdb.sql(
        f"select min(sent) from read_csv('{run.directory}/calls.csv.zst', all_varchar = false) where phase = 'set-up'"
    ).fetchall()[0][0]
    compare("set-up lies before the start, with DuckDB", first is None or first < 0, True)
    samples = pandas.read_csv(run.directory / "samples.csv")
    memory = samples[samples["metric"] == "process_resident_memory_bytes"].groupby("slot")["value"].max()
    for slot in run.summary["analysis"]["slots"]:
        if slot["peak_resident_bytes"] is not None:
            compare(f"peak memory of {slot['slot']}, bytes", float(memory[slot["slot"]]), slot["peak_resident_bytes"])
