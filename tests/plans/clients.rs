//! How what a scenario says of its clients stands in the plan.

use std::time::Duration;

use mcpload::model::{Class, ProtocolVersion, Share};
use mcpload::plan::{
    AuthPlan, CancelPlan, ConnectionPlan, CredentialsPlan, DataPlan, Dialect, Expectation,
    HttpVersion, Method, Pages, Pick, Plan, RecoveryPlan, Reference, RetryPlan, Secret, Sharing,
    SourceRange, Transport, VanishHow, VanishPlan, WorkloadPlan,
};
use mcpload::registry::Ty;
use mcpload::scenario::keys::keys;
use serde_json::json;

use super::support::CATALOG;
use super::{HEAD, HOST, PHASE, good, with};

/// The plan of the only workload, which has these lines.
fn workload(lines: &str) -> WorkloadPlan {
    with(&format!("[workload]\n{lines}\n")).workloads[0].clone()
}

/// The plan of a workload that goes to this URL.
fn external(url: &str, lines: &str) -> Plan {
    good(&format!(
        "{HEAD}{PHASE}[fleet]\ndriver = \"external\"\nendpoint = {{ url = \"{url}\" }}\n\
         [workload]\n{lines}\n[[workload.operation]]\ncall = \"tools/list\"\n"
    ))
}

fn share(text: &str) -> Share {
    text.parse().unwrap()
}

#[test]
fn every_version_and_auto_can_be_spoken_and_mixed() {
    let all = ProtocolVersion::ALL.map(ProtocolVersion::name);
    for name in all {
        let plan = workload(&format!("protocol = \"{name}\""));
        let version = name.parse().unwrap();
        assert_eq!(plan.protocols, [(Dialect::Version(version), 1)]);
    }
    let plan = workload("protocol = { auto = 2, 2024-11-05 = 1, 2026-07-28 = 0 }");
    assert_eq!(
        plan.protocols,
        [
            (Dialect::Auto, 2),
            (Dialect::Version(ProtocolVersion::V2024_11_05), 1),
            (Dialect::Version(ProtocolVersion::V2026_07_28), 0),
        ]
    );
}

#[test]
fn a_workload_of_which_nothing_is_said_has_the_defaults_of_the_plan() {
    let plan = workload("clients = 3");
    let defaults = WorkloadPlan::new("main", 3, plan.operations.clone());
    assert_eq!(plan, defaults);
}

#[test]
fn transports_and_connections_stand_in_the_plan() {
    let sse = workload("transport = \"sse\"\nprotocol = { 2024-11-05 = 1, 2026-07-28 = 0 }");
    assert_eq!(sse.transport, Transport::Sse);
    let plan = workload(
        "http = \"2\"\nconnections = { pool = 4, max_age = \"30s\" }\ncookies = true\nlisten = \"20%\"\ntraceparent = false\ngoodbye = false\n\
         source = [\"spread\", \"127.0.0.9\"]",
    );
    let range = |first: [u8; 4], count| SourceRange {
        first: first.into(),
        count,
    };
    assert_eq!(
        plan.connections,
        ConnectionPlan {
            http: HttpVersion::Http2,
            sharing: Sharing::Pool(4),
            max_age: Some(Duration::from_secs(30)),
            cold: Share::ZERO,
            sources: vec![range([127, 64, 0, 1], 4_194_302), range([127, 0, 0, 9], 1)],
        }
    );
    assert_eq!(plan.listen, share("20%"));
    assert!(plan.cookies && !plan.traceparent && !plan.goodbye);
    let plan = workload("connections = { max_age = \"1s\" }\ncold = \"10%\"");
    assert_eq!(plan.connections.sharing, Sharing::PerClient);
    assert_eq!(plan.connections.cold, share("10%"));
}

#[test]
fn clients_vanish_as_the_scenario_says() {
    let plan = workload("vanish = { share = \"5%\", after = \"1s\", how = \"half-open\" }");
    let vanish = VanishPlan {
        share: share("5%"),
        after: Duration::from_secs(1),
        how: VanishHow::HalfOpen,
    };
    assert_eq!(plan.vanish, Some(vanish));
    let plan = workload("transport = \"websocket\"\nvanish = { share = \"5%\" }");
    assert_eq!(plan.vanish.unwrap().how, VanishHow::Close);
}

#[test]
fn a_policy_that_is_changed_is_named_so() {
    for name in ["spec", "lenient", "never", "sdk-python", "rmcp"] {
        let plan = workload(&format!("recovery = \"{name}\""));
        assert_eq!(plan.recovery, RecoveryPlan::preset(name));
        let plan = workload(&format!("recovery = {{ preset = \"{name}\" }}"));
        assert_eq!(plan.recovery, RecoveryPlan::preset(name));
    }
    let plan = workload(
        "recovery = { preset = \"never\", lost = [404, 400], reinitialise = true, resend = 1, resume = 3, \
         retry = { attempts = 2, methods = [\"tools/list\"], classes = [\"connect\", \"json-rpc\"], statuses = [502], backoff = \"200ms\", max_backoff = \"1s\", retry_after = true } }",
    );
    assert_eq!(
        plan.recovery,
        RecoveryPlan {
            name: "never+".to_owned(),
            lost_statuses: vec![404, 400],
            reinitialise: true,
            retries: 1,
            resumes: 3,
            retry: RetryPlan {
                attempts: 2,
                methods: vec![Method::ToolsList],
                classes: vec![Class::Connect, Class::JsonRpc],
                statuses: vec![502],
                backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(1),
                honour_retry_after: true,
            },
        }
    );
}

#[test]
fn what_a_policy_allows_lengthens_the_longest_operation() {
    let longest = |lines: &str| with(&format!("[workload]\n{lines}\n")).longest_operation();
    // The wait for the client, and the call.
    assert_eq!(longest("recovery = \"never\""), Duration::from_secs(10));
    let retried =
        "recovery = { retry = { attempts = 2, classes = [\"connect\"], max_backoff = \"1s\" } }";
    // Streams are resumed twice, each after a pause of up to 10 s.
    assert_eq!(longest(retried), Duration::from_secs(5 + 15 + 2 + 2 * 15));
    let paged = "[[workload.operation]]\ncall = \"tools/list\"\npages = 3\ntimeout = \"1s\"";
    assert_eq!(longest(paged), Duration::from_secs(1 + 3 + 2 * 11));
}

#[test]
fn secrets_of_clients_are_named_and_not_read() {
    let plan = workload("auth = { bearer = [{ env = \"A\" }, { file = \"b\" }] }");
    let secrets = vec![Secret::Env("A".to_owned()), Secret::File("b".to_owned())];
    assert_eq!(plan.auth, AuthPlan::Bearers(secrets));
    let plan = workload(
        "auth = { client_credentials = { client_id = \"load\", private_key = { file = \"k.pem\" }, algorithm = \"ES256\", scope = \"a b\", \
         token_url = \"http://127.0.0.1:9/token\", authentication = \"private_key_jwt\" } }",
    );
    assert_eq!(
        plan.auth,
        AuthPlan::ClientCredentials(CredentialsPlan {
            client_id: "load".to_owned(),
            secret: None,
            private_key: Some(Secret::File("k.pem".to_owned())),
            algorithm: Some("ES256".to_owned()),
            scope: Some("a b".to_owned()),
            token_url: Some("http://127.0.0.1:9/token".to_owned()),
            authentication: Some("private_key_jwt".to_owned()),
        })
    );
}

#[test]
fn files_are_read_with_the_scenario_and_stand_in_the_plan_by_their_copies() {
    let plan = workload(
        "data = [{ name = \"people\", file = \"data/people.csv\", pick = \"client\" }]\n\
         [[workload.operation]]\ntool = \"echo\"\narguments = { text = \"{{ data.people.e mail }} {{ session }}\" }",
    );
    assert_eq!(
        plan.data,
        [DataPlan {
            name: "people".to_owned(),
            file: "inputs/main.people.csv".to_owned(),
            columns: vec!["id".to_owned(), "e mail".to_owned()],
            rows: 2,
            pick: Pick::Client,
        }]
    );
    // The reference server's contract holds for whatever the file puts in.
    assert_eq!(plan.operations[0].steps[0].expect.len(), 1);
}

#[test]
fn an_endpoint_outside_may_speak_tls_and_the_transport_fits_its_scheme() {
    let plan = external("https://a.example/mcp\", ca = \"data/ca.pem", "");
    assert_eq!(plan.fleet.tls.ca.as_deref(), Some("inputs/ca.pem"));
    let located = plan.located("/run".as_ref());
    assert_eq!(located.fleet.tls.ca.as_deref(), Some("/run/inputs/ca.pem"));
    for url in ["ws://[::1]:1/mcp", "wss://a/mcp"] {
        let plan = external(url, "transport = \"websocket\"");
        assert_eq!(plan.workloads[0].transport, Transport::Websocket);
        assert!(!plan.fleet.tls.insecure);
    }
    external("http://[::1]:1/mcp", "source = \"::1\"");
}

#[test]
fn operations_call_every_method_with_its_settings() {
    let plan = workload(
        "[[workload.operation]]\ncall = \"resources/templates/list\"\npages = \"all\"\n\
         [[workload.operation]]\ncall = \"tools/list\"\npages = 3\n\
         [[workload.operation]]\ncall = \"prompts/list\"\npages = 1\n\
         [[workload.operation]]\ncall = \"resources/subscribe\"\nuri = \"mem://1\"\n\
         [[workload.operation]]\ncall = \"resources/unsubscribe\"\nuri = \"mem://1\"\n\
         [[workload.operation]]\ncall = \"server/discover\"\nprogress = true\n\
         [[workload.operation]]\ncall = \"ping\"\ncancel = { share = \"10%\", after = \"200ms\" }\n\
         [[workload.operation]]\ncall = \"completion/complete\"\nprompt = \"greeting\"\narguments = { name = \"who\", value = \"{{ random.hex(1) }}\" }\n\
         [[workload.operation]]\nname = \"template\"\ncall = \"completion/complete\"\nuri = \"mem://{id}\"\narguments = { name = \"id\", value = \"1\" }\n",
    );
    let step = |number: usize| &plan.operations[number].steps[0];
    let pages: Vec<Pages> = (0..3).map(|number| step(number).pages).collect();
    assert_eq!(pages, [Pages::UpTo(1000), Pages::UpTo(3), Pages::First]);
    assert_eq!(step(3).target, "mem://1");
    assert!(step(5).progress);
    let cancel = CancelPlan {
        share: share("10%"),
        after: Duration::from_millis(200),
    };
    assert_eq!(plan.operations[6].cancel, Some(cancel));
    assert_eq!(step(7).reference, Some(Reference::Prompt));
    assert_eq!(step(8).reference, Some(Reference::Resource));
    assert_eq!(step(8).target, "mem://{id}");
    assert_eq!(step(8).arguments, json!({ "name": "id", "value": "1" }));
}

#[test]
fn an_answer_can_be_held_to_several_expectations() {
    let plan = workload(
        "[[workload.operation]]\ntool = \"add\"\narguments = { a = 1, b = 2 }\n\
         expect = { status = 200, equals = \"3\", contains = \"3\", length = 1, schema = true, json = { \"$.structuredContent.sum\" = 3, \"$.x\" = [\"{{ counter }}\"] } }\n\
         [[workload.operation]]\nname = \"refused\"\ncall = \"ping\"\nexpect = { status = 403 }\n",
    );
    let json = |path: &str, equals| Expectation::Json {
        path: path.to_owned(),
        equals,
    };
    assert_eq!(
        plan.operations[0].steps[0].expect,
        [
            Expectation::Status(200),
            Expectation::TextEquals("3".to_owned()),
            Expectation::TextContains("3".to_owned()),
            Expectation::TextLength(1),
            Expectation::Schema,
            json("$.structuredContent.sum", json!(3)),
            json("$.x", json!(["{{ counter }}"])),
        ]
    );
    assert_eq!(
        plan.operations[1].steps[0].expect,
        [Expectation::Status(403)]
    );
}

#[test]
fn later_steps_of_a_journey_take_what_earlier_ones_kept() {
    let plan = workload(
        "[[workload.operation]]\nname = \"open\"\ntool = \"open\"\nkeep = { handle = \"$.structuredContent.handle\" }\nweight = 0\n\
         [[workload.operation]]\nname = \"use\"\ntool = \"use\"\narguments = { handle = \"{{ kept.handle }}\" }\nexpect = { contains = \"{{ kept.handle }}\" }\nweight = 0\n\
         [[workload.operation]]\nname = \"visit\"\nsteps = [\"open\", \"use\", \"use\"]\ncancel = { share = \"1%\", after = \"1s\" }\n",
    );
    let visit = &plan.operations[2];
    assert_eq!(visit.steps[0].keep["handle"], "$.structuredContent.handle");
    assert!(visit.cancel.is_some());
}

#[test]
fn the_preview_shows_how_clients_connect() {
    let plan = good(&format!(
        "{HEAD}{PHASE}[fleet]\ndriver = \"external\"\nendpoint = {{ url = \"https://a.example/mcp\", insecure = true }}\n\
         [workload]\nprotocol = {{ auto = 1, 2024-11-05 = 3 }}\nhttp = \"2\"\nconnections = {{ max_age = \"30s\" }}\ncold = \"10%\"\nsource = \"10.0.0.0/24\"\nlisten = \"20%\"\ncookies = true\n\
         vanish = {{ share = \"5%\", how = \"reset\" }}\nauth = {{ client_credentials = {{ client_id = \"load\", secret = {{ env = \"S\" }} }} }}\nrecovery = {{ resend = 1 }}\n\
         data = [{{ name = \"people\", file = \"data/people.csv\", pick = \"random\" }}]\n\
         [[workload.operation]]\ncall = \"tools/list\"\npages = \"all\"\ncancel = {{ share = \"10%\", after = \"200ms\" }}\n"
    ));
    insta::assert_snapshot!(
        "clients-preview",
        mcpload::plan::preview::preview(&plan, HOST.open_files)
    );
}

#[test]
fn the_words_of_the_scenario_are_those_of_the_plan() {
    let all = keys(&CATALOG);
    let words = |path: &str| {
        let key = all.iter().find(|key| key.path == path).unwrap();
        match key.field.ty {
            Ty::Words { now, .. } => now.to_vec(),
            Ty::List(Ty::OneOf(words)) => words.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let methods = Method::ALL.map(Method::name);
    assert_eq!(words("workload[].operation[].call"), methods);
    assert_eq!(words("workload[].recovery.retry.methods"), methods);
    for name in words("workload[].recovery.retry.classes") {
        assert!(
            Class::ALL.iter().any(|class| class.name() == name),
            "{name}"
        );
    }
}
