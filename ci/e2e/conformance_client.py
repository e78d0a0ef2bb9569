"""What the official suite's client scenarios ask of a client, done with `mcpload call`.

Usage: conformance_client.py MCPLOAD URL; the scenario, the version and its context come in the environment, as the suite sets them.
"""

import json
import os
import subprocess
import sys

mcpload, url = sys.argv[1], sys.argv[-1]
scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")


def call(*words, options=(), environment=None):
    command = [mcpload, "call", url, "--protocol", version, "--timeout", "20s", *options, *words]
    sys.exit(subprocess.run(command, env={**os.environ, **(environment or {})}, timeout=60).returncode)


def steps(*calls):
    """Several operations in one session."""
    words = []
    for one in calls:
        words += ["+", *one] if words else one
    return words


ADD = ["add_numbers", "a=5", "b=3"]
TOOLS = ["tools/list"]

if scenario.startswith("auth/"):
    options, environment = [], {}
    if "client_id" in context:
        options += ["--client-id", context["client_id"]]
    if "client_secret" in context:
        options += ["--client-secret-env", "CLIENT_SECRET"]
        environment["CLIENT_SECRET"] = context["client_secret"]
    if "private_key_pem" in context:
        options += ["--private-key-env", "PRIVATE_KEY"]
        environment["PRIVATE_KEY"] = context["private_key_pem"]
        if "signing_algorithm" in context:
            options += ["--algorithm", context["signing_algorithm"]]
    call(*steps(TOOLS, ["test-tool"]), options=options, environment=environment)
elif scenario == "elicitation-sep1034-client-defaults":
    # This server asks on the stream that the client keeps open.
    call(*steps(TOOLS, ["test_client_elicitation_defaults"]), options=["--accept-elicitation", "--listen"])
elif scenario == "sse-retry":
    call(*steps(TOOLS, ["test_reconnection"]))
elif scenario == "request-metadata":
    call(*steps(["server/discover"], TOOLS))
elif scenario == "sep-2322-client-request-state":
    names = ["echo_state", "no_state", "unrelated", "no_result_type"]
    calls = [[f"test_mrtr_{name}"] for name in names]
    call(*steps(TOOLS, *calls), options=["--accept-elicitation"])
elif scenario == "http-standard-headers":
    reads = [["resources/list"], ["resources/read", "uri=file:///path/to/file.txt"], ["prompts/list"]]
    call(*steps(TOOLS, ["test_headers"], *reads, ["prompts/get", "name=test_prompt"]))
elif scenario == "http-custom-headers":
    calls = [[one["name"], json.dumps(one["arguments"])] for one in context["toolCalls"]]
    call(*steps(TOOLS, *calls))
elif scenario == "http-invalid-tool-headers":
    # Every tool is asked for; those with invalid annotations must not be called.
    names = ["invalid_empty_header", "invalid_object_header", "invalid_number_header", "invalid_duplicate_same_case"]
    call(*steps(TOOLS, ["valid_tool", "region=a"], *[[name, "value=1"] for name in names]))
elif scenario in ("initialize", "json-schema-ref-no-deref", "json-schema-2020-12-preservation"):
    call(*TOOLS)
else:
    call(*steps(TOOLS, ADD))
