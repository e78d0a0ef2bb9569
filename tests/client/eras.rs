//! Which version is spoken: what servers offer, refuse, and offer instead.

use mcpload::model::session::Transition::{Born, Failed};
use mcpload::model::{Class, Outcome, ProtocolVersion};
use mcpload::plan::{Dialect, Plan};
use serde_json::json;

use crate::conductor::run;
use crate::stub::{Stub, echoed, initialized};
use crate::support::{LEGACY, MODERN, Server, classes, each, echo, steps, times, transitions};

fn auto() -> Plan {
    let mut plan = times(2, MODERN, echo());
    plan.workloads[0].protocols = vec![(Dialect::Auto, 1)];
    plan
}

#[test]
fn a_client_of_any_version_finds_the_era_of_the_server() {
    let cases = [
        (&[][..], MODERN),
        (&["status=400,era=modern"], LEGACY),
        (&["status=404,era=modern"], LEGACY),
        (&["status=405,era=modern"], LEGACY),
        (&["status=406,era=modern"], LEGACY),
        // A server that is not ready says nothing about its era.
        (&["status=503,era=modern,first=1"], MODERN),
        (&["close-before-head,era=modern,first=1"], MODERN),
        (&["status=429,retry-after=1,era=modern,first=1"], MODERN),
    ];
    each(&cases, |(rules, version)| {
        let server = Server::start(rules, &[]);
        let record = run(&auto(), &server.url);
        assert_eq!(classes(&record), [(Class::None, None); 2], "{rules:?}");
        for call in steps(&record) {
            assert_eq!(call.protocol, *version, "{rules:?}");
            assert_eq!(call.session.is_some(), *version == LEGACY, "{rules:?}");
        }
    });
}

#[test]
fn an_older_version_that_the_server_offers_is_taken() {
    let stub = Stub::start(|message| match message["method"].as_str() {
        Some("initialize") => initialized("2025-03-26"),
        _ => echoed(message),
    });
    let record = run(&times(2, LEGACY, echo()), &stub.url);
    assert_eq!(classes(&record), [(Class::None, None); 2]);
    let offered = ProtocolVersion::V2025_03_26;
    assert!(steps(&record).iter().all(|call| call.protocol == offered));
    assert_eq!(stub.count("initialize"), 1);
    let seen = stub.seen.lock().unwrap();
    assert_eq!(seen[0]["params"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_version_that_cannot_be_spoken_is_a_clear_failure() {
    let unknown = Stub::start(|_| initialized("1999-12-31"));
    let stateless = Stub::start(|_| initialized("2026-07-28"));
    for (stub, says) in [
        (&unknown, "offers a version that mcpload does not speak"),
        (&stateless, "malformed"),
    ] {
        let record = run(&times(1, LEGACY, echo()), &stub.url);
        let moves = transitions(&record);
        assert!(!moves.is_empty() && moves.iter().all(|found| *found == Failed));
        assert_eq!(record.sessions[0].cause, says);
        assert_eq!(classes(&record), [(Class::Unsent, None)]);
        assert_eq!(steps(&record)[0].ends, Some(Outcome::Fail));
        assert_eq!(stub.count("tools/call"), 0);
    }
}

/// What a server says to a version that it does not speak.
const REFUSED: i64 = -32022;

fn speaks_legacy(message: &serde_json::Value) -> (u16, serde_json::Value) {
    let data = json!({"requested": "2026-07-28", "supported": ["2024-11-05", "2025-06-18"]});
    let error = json!({"code": REFUSED, "message": "no", "data": data});
    match message["method"].as_str() {
        _ if message["params"]["_meta"].is_object() => (400, json!({"error": error})),
        Some("initialize") => initialized("2025-06-18"),
        _ => echoed(message),
    }
}

#[test]
fn a_client_of_any_version_speaks_the_newest_that_a_refusal_offers() {
    let stub = Stub::start(speaks_legacy);
    let record = run(&auto(), &stub.url);
    assert_eq!(classes(&record), [(Class::None, None); 2]);
    let newest = ProtocolVersion::V2025_06_18;
    assert!(steps(&record).iter().all(|call| call.protocol == newest));
    assert_eq!(transitions(&record), [Born]);
}

#[test]
fn a_client_of_one_version_stays_in_its_era() {
    let stub = Stub::start(speaks_legacy);
    let record = run(&times(2, MODERN, echo()), &stub.url);
    assert_eq!(classes(&record), [(Class::JsonRpc, Some(REFUSED)); 2]);
    assert!(
        steps(&record)
            .iter()
            .all(|call| call.ends == Some(Outcome::Fail))
    );
    assert_eq!(stub.count("initialize"), 0);
}

#[test]
fn a_modern_server_that_refuses_for_ever_is_not_asked_for_ever() {
    let stub = Stub::start(|message| {
        let data = json!({"supported": ["2026-07-28"]});
        let error = json!({"code": REFUSED, "message": "no", "data": data});
        match message["method"].as_str() {
            Some("tools/call") => (400, json!({"error": error})),
            _ => echoed(message),
        }
    });
    let record = run(&times(1, MODERN, echo()), &stub.url);
    let found = classes(&record);
    assert!(
        found
            .iter()
            .all(|call| *call == (Class::JsonRpc, Some(REFUSED)))
    );
    assert!((2..=5).contains(&found.len()), "{found:?}");
    assert_eq!(stub.count("tools/call"), found.len());
}
