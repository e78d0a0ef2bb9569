//! What a plan refuses of what is said of clients.

use super::{HEAD, Mistake, PHASE, refuse, with_phase};

fn workload(lines: &str) -> String {
    with_phase(&format!("[workload]\n{lines}\n"))
}

fn external(url: &str, lines: &str) -> String {
    with_phase(&format!(
        "[fleet]\ndriver = \"external\"\nendpoint = {{ url = \"{url}\" }}\n\
         [workload]\n{lines}\n[[workload.operation]]\ncall = \"tools/list\"\n"
    ))
}

#[test]
fn a_version_fits_its_transport() {
    refuse(&[
        (
            workload("transport = \"sse\"\nprotocol = \"2026-07-28\""),
            "conflict",
            "HTTP+SSE does not carry 2026-07-28",
            "protocol =",
        ),
        (
            workload("transport = \"sse\"\nprotocol = { 2024-11-05 = 1, auto = 1 }"),
            "conflict",
            "\"auto\" begins with the modern era",
            "protocol =",
        ),
        (
            workload("protocol = \"2025-11-26\""),
            "unknown-word",
            "2025-11-26",
            "protocol =",
        ),
        (
            workload("transport = \"stdio\""),
            "not-yet",
            "\"stdio\"",
            "transport =",
        ),
    ]);
}

#[test]
fn what_a_stream_cannot_do_is_refused() {
    let lines = [
        ("http = \"2\"", "`http`"),
        ("connections = { pool = 2 }", "`connections.pool`"),
        (
            "connections = { max_age = \"1s\" }",
            "`connections.max_age`",
        ),
        ("cold = \"1%\"", "`cold`"),
        ("cookies = true", "`cookies`"),
        ("listen = \"1%\"", "`listen`"),
        (
            "vanish = { share = \"1%\", how = \"reset\" }",
            "`vanish.how`",
        ),
    ];
    let mistakes: Vec<Mistake> = lines
        .iter()
        .flat_map(|(line, words)| {
            ["sse", "websocket"].map(|transport| {
                let text = workload(&format!("transport = \"{transport}\"\n{line}"));
                (text, "conflict", *words, *line)
            })
        })
        .collect();
    refuse(&mistakes);
}

#[test]
fn the_scheme_of_an_endpoint_fits_the_transport() {
    refuse(&[
        (
            external("ws://a:1/mcp", ""),
            "conflict",
            "`streamable-http` does not go to ws://a:1/mcp",
            "url =",
        ),
        (
            external("https://a:1/mcp", "transport = \"websocket\""),
            "conflict",
            "`websocket` does not go to https://a:1/mcp",
            "transport =",
        ),
    ]);
}

#[test]
fn shared_connections_are_not_taken_away() {
    refuse(&[
        (
            workload("connections = { pool = 2 }\ncold = \"10%\""),
            "conflict",
            "share none",
            "cold =",
        ),
        (
            workload("connections = { pool = 2 }\nvanish = { share = \"10%\" }"),
            "conflict",
            "the connection of others",
            "vanish =",
        ),
        (
            workload("connections = { pool = 0 }"),
            "out-of-range",
            "is 0",
            "pool",
        ),
    ]);
}

#[test]
fn clients_connect_from_addresses_that_reach_the_endpoint() {
    refuse(&[
        (
            workload("source = \"somewhere\""),
            "bad-value",
            "no address",
            "source =",
        ),
        (
            workload("source = [\"127.0.0.1\", \"127.0.0.1/8\"]"),
            "bad-value",
            "no address",
            "source =",
        ),
        (
            workload("source = []"),
            "bad-value",
            "there are 0 ranges",
            "source =",
        ),
        (
            workload("source = \"::1\""),
            "conflict",
            "::1 does not reach 127.0.0.1",
            "source =",
        ),
        (
            external("http://10.1.1.1/mcp", "source = \"spread\""),
            "conflict",
            "127.64.0.1 does not reach 10.1.1.1",
            "source =",
        ),
    ]);
}

#[test]
fn a_policy_says_what_it_does_and_when() {
    let recovery = |settings: &str| workload(&format!("recovery = {{ {settings} }}"));
    refuse(&[
        (
            recovery("preset = \"never\", resend = 1"),
            "conflict",
            "there is none",
            "resend",
        ),
        (
            recovery("retry = { attempts = 2 }"),
            "conflict",
            "after which failures",
            "retry",
        ),
        (
            recovery("retry = { classes = [\"connect\"], backoff = \"6s\" }"),
            "conflict",
            "longer than the longest",
            "backoff",
        ),
        (
            recovery("retry = { classes = [\"wrong-answer\"] }"),
            "unknown-word",
            "wrong-answer",
            "classes",
        ),
        (
            workload("recovery = \"lazy\""),
            "unknown-word",
            "lazy",
            "recovery =",
        ),
    ]);
}

#[test]
fn clients_prove_themselves_in_one_way() {
    let auth = |settings: &str| workload(&format!("auth = {{ {settings} }}"));
    let credentials = |settings: &str| {
        auth(&format!(
            "client_credentials = {{ client_id = \"load\", {settings} }}"
        ))
    };
    let secret = "secret = { env = \"S\" }";
    let key = "private_key = { env = \"K\" }";
    refuse(&[
        (auth(""), "conflict", "neither", "auth ="),
        (
            auth(&format!(
                "bearer = {{ env = \"T\" }}, client_credentials = {{ client_id = \"load\", {secret} }}"
            )),
            "conflict",
            "has `bearer` and",
            "auth =",
        ),
        (auth("bearer = []"), "bad-value", "0 tokens", "bearer"),
        (
            credentials("scope = \"a\""),
            "missing-key",
            "neither a `secret`",
            "client_credentials",
        ),
        (
            credentials("authentication = \"private_key_jwt\""),
            "missing-key",
            "needs a `private_key`",
            "authentication",
        ),
        (
            credentials(&format!("{secret}, {key}")),
            "conflict",
            "a `secret` and a `private_key`",
            "private_key",
        ),
        (
            credentials(&format!("{secret}, authentication = \"none\"")),
            "conflict",
            "`none` takes no `secret`",
            "secret",
        ),
        (
            credentials(&format!("{secret}, algorithm = \"ES256\"")),
            "conflict",
            "how a private key signs",
            "algorithm",
        ),
        (
            credentials(&format!("{key}, algorithm = \"HS256\"")),
            "unknown-word",
            "HS256",
            "algorithm",
        ),
        (
            credentials(&format!("{secret}, token_url = \"http://a.example/token\"")),
            "bad-value",
            "over TLS",
            "token_url",
        ),
        (
            credentials(&format!("{secret}, scope = \"a\\tb\"")),
            "bad-value",
            "no scopes",
            "scope",
        ),
    ]);
}

#[test]
fn files_are_there_and_are_tables() {
    let file = |name: &str, file: &str| {
        workload(&format!(
            "data = [{{ name = \"{name}\", file = \"{file}\" }}]"
        ))
    };
    let arguments = |template: &str| {
        workload(&format!(
            "data = [{{ name = \"people\", file = \"data/people.csv\" }}]\n\
             [[workload.operation]]\ntool = \"echo\"\narguments = {{ text = \"{template}\" }}"
        ))
    };
    let ca = |ca: &str| {
        with_phase(&format!(
            "[fleet]\ndriver = \"external\"\nendpoint = {{ url = \"https://a/mcp\", ca = \"{ca}\" }}\n\
             [workload]\n[[workload.operation]]\ncall = \"tools/list\"\n"
        ))
    };
    refuse(&[
        (
            file("people", "data/nobody.csv"),
            "no-file",
            "`data/nobody.csv` cannot be read",
            "data/nobody.csv",
        ),
        (
            file("people", "data/ragged.csv"),
            "bad-data",
            "line 3 has 1 fields, the first has 2",
            "data/ragged.csv",
        ),
        (
            file("people.old", "data/people.csv"),
            "bad-value",
            "has a dot",
            "people.old",
        ),
        (
            workload(
                "data = [{ name = \"a\", file = \"data/people.csv\" }, { name = \"a\", file = \"data/people.csv\" }]",
            ),
            "duplicate-name",
            "two data files called `a`",
            "data =",
        ),
        (
            arguments("{{ data.people.name }}"),
            "bad-template",
            "`people` has no column `name`",
            "arguments =",
        ),
        (
            arguments("{{ data.persons.id }}"),
            "bad-template",
            "no data file `persons`",
            "arguments =",
        ),
        (ca("data/nothing.pem"), "no-file", "nothing.pem", "ca ="),
        (
            ca("data/people.csv"),
            "bad-value",
            "holds no certificate",
            "ca =",
        ),
    ]);
}

#[test]
fn a_workload_does_not_name_too_many_files() {
    let one = "{ name = \"a\", file = \"data/people.csv\" }";
    let all = vec![one; 17].join(", ");
    let text = format!("{HEAD}{PHASE}[workload]\ndata = [{all}]\n");
    let wrong = super::plan("test.toml", &text, &super::Overrides::none()).unwrap_err();
    assert_eq!(wrong.iter().next().unwrap().code.name, "too-large");
}

#[test]
fn what_is_left_for_later_is_refused_as_such() {
    let call = |rest: &str| workload(&format!("[[workload.operation]]\n{rest}"));
    refuse(&[
        (
            workload("capabilities = [\"sampling\"]"),
            "not-yet",
            "`capabilities` does not act yet",
            "capabilities",
        ),
        (
            workload("batch = 10"),
            "not-yet",
            "`batch` does not act yet",
            "batch",
        ),
        (
            call("call = \"logging/setLevel\""),
            "not-yet",
            "\"logging/setLevel\"",
            "call =",
        ),
        (
            call("call = \"tasks/get\""),
            "not-yet",
            "\"tasks/get\"",
            "call =",
        ),
        (
            call("tool = \"echo\"\ntask = true"),
            "not-yet",
            "`task` does not act yet",
            "task =",
        ),
        (
            call("call = \"resources/read\"\nuri = \"mem://{{ counter }}\""),
            "not-yet",
            "templates in `uri`",
            "uri =",
        ),
    ]);
}
