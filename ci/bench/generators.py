"""The load generators: what each is called with, so that all send the same bytes over the same number of connections."""

import json
import pathlib
import shutil
import socket
import threading

from processes import HOST, Stub, run

CONNECTIONS = 64
# What differs between calls of mcpload stays as it was in the captured one; the peers send one request again and again.
OWN = {"host", "content-length"}

SCENARIO = """version = 1
name = "bench"
workers = 1
[fleet]
driver = "external"
endpoint = {{ url = "{url}" }}
max_rate = "10000000/s"
allow_tools = ["echo"]
[workload]
clients = {clients}
protocol = {{ "2026-07-28" = 1 }}
[[workload.operation]]
tool = "echo"
arguments = {{ text = "hello" }}
expect = {{ equals = "ok" }}
timeout = "120s"
[[phase]]
name = "steady"
duration = "{seconds}s"
{load}
"""


def scenario(work, url, seconds, load):
    """Writes the scenario of a measurement: the modern `tools/call`, each answer parsed, validated, compared and recorded."""
    path = pathlib.Path(work) / "bench.toml"
    path.write_text(SCENARIO.format(url=url, clients=CONNECTIONS, seconds=seconds, load=load))
    return path


def open_rate(rate):
    return f'rate = "{rate}/s"'


def play(mcpload, work, stub, seconds, load):
    """Plays mcpload against a stub; what it used, its own report on the only phase, and how long it sent, backlog included."""
    out = pathlib.Path(work) / "run"
    shutil.rmtree(out, ignore_errors=True)
    path = scenario(work, stub.url, seconds, load)
    command = [mcpload, "run", str(path), "--out", str(out), "--on-inconclusive", "warn"]
    used = run(command, seconds * 5 + 120, output=f"{work}/run.txt", until_children=seconds)
    summary = out / "report/summary.json"
    if not summary.exists():
        raise SystemExit(f"mcpload made no report:\n{pathlib.Path(work, 'run.txt').read_text()}")
    analysis = json.loads(summary.read_text())["analysis"]
    phase = analysis["phases"][0]
    grades = analysis["trust"]
    phase["trust"] = grades[0]["trust"] if grades else "unknown"
    phase["reasons"] = [str(reason) for reason in grades[0]["reasons"]] if grades else []
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    phase["sent_for"] = max(event["at"] for event in events if event["event"] == "worker-ended") / 1e9
    shutil.rmtree(out, ignore_errors=True)
    return used, phase


def captured(mcpload, work):
    """The bytes of one `tools/call` of mcpload, head and body, read off the wire between it and the stub."""
    seen = []
    listener = socket.create_server((HOST, 0))

    def copy(source, sink, keep):
        try:
            while data := source.recv(65536):
                if keep:
                    seen.append(data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()

    def accept(port):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, port))
            threading.Thread(target=copy, args=(client, server, True), daemon=True).start()
            threading.Thread(target=copy, args=(server, client, False), daemon=True).start()

    with Stub(mcpload, 21101) as stub:
        threading.Thread(target=accept, args=(21101,), daemon=True).start()
        stub.url = f"http://{HOST}:{listener.getsockname()[1]}/mcp"
        play(mcpload, work, stub, 1, open_rate(20))
    listener.close()
    calls = [request for request in seen if b"mcp-method: tools/call" in request]
    if not calls:
        raise SystemExit("mcpload sent no call that could be captured")
    head, _, body = calls[-1].partition(b"\r\n\r\n")
    headers = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return [(name, value) for name, value in headers if name not in OWN], body.decode()


def wrk(program, work, headers, body, url, seconds):
    script = pathlib.Path(work) / "call.lua"
    # JSON's strings are Lua's, but for escapes that neither headers nor body have.
    lines = ['wrk.method = "POST"', f"wrk.body = {json.dumps(body)}"]
    lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers]
    script.write_text("\n".join(lines) + "\n")
    return [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]


def file_of(work, body):
    path = pathlib.Path(work) / "call.json"
    path.write_text(body)
    return str(path)


def h2load(program, work, headers, body, url, seconds):
    fields = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
    return [program, "--h1", "-t1", f"-c{CONNECTIONS}", "-m1", f"-D{seconds}", *fields, "-d", file_of(work, body), url]


def hey(program, work, headers, body, url, seconds):
    # Its content type has a switch of its own, which overrides the header.
    kind = dict(headers)["content-type"]
    fields = [word for name, value in headers if name != "content-type" for word in ("-H", f"{name}: {value}")]
    duration = ["-z", f"{seconds}s", "-c", str(CONNECTIONS), "-cpus", "1", "-disable-compression"]
    return [program, *duration, "-m", "POST", "-T", kind, *fields, "-D", file_of(work, body), url]


def oha(program, work, headers, body, url, seconds):
    fields = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
    duration = ["-z", f"{seconds}s", "-c", str(CONNECTIONS), "--no-tui", "--disable-compression"]
    return [program, *duration, "-m", "POST", *fields, "-D", file_of(work, body), url]


PEERS = {"wrk": wrk, "h2load": h2load, "oha": oha, "hey": hey}
