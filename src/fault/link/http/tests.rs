//! Conversations played through [`Http`], right, wrong and at random.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fault::link::LinkRule;
use crate::fault::link::toxic::Answers;
use crate::fault::wire::Rule;
use crate::fault::wire::actions::ACTIONS;
use crate::model::Seed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Client,
    Server,
}

use self::Who::{Client, Server};

/// A connection and what came out of it.
struct Played {
    http: Http,
    now: i64,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    last: Option<What>,
}

fn rule_set(rules: &[&str], instance: Option<&str>) -> RuleSet {
    let rules = rules.iter().map(|rule| rule.parse().unwrap());
    armed_with(rules.collect(), instance)
}

fn armed_with(rules: Vec<Rule>, instance: Option<&str>) -> RuleSet {
    let armed = Armed::new(
        "answers".to_owned(),
        LinkRule::new(Toxic::Answers(Answers { rules })),
        Seed(3),
        1,
        0,
    );
    RuleSet {
        generation: 1,
        armed: vec![Arc::new(armed)],
        instance: instance.map(|name| Bytes::copy_from_slice(name.as_bytes())),
    }
}

impl Played {
    fn new(rules: &RuleSet) -> Self {
        let mut http = Http::default();
        http.set(rules, 0);
        Self {
            http,
            now: 1_000,
            to_server: Vec::new(),
            to_client: Vec::new(),
            last: None,
        }
    }

    fn plain() -> Self {
        Self::new(&RuleSet::default())
    }

    fn says(&mut self, from: Who, bytes: &[u8]) -> &mut Self {
        let to_server = &mut self.to_server;
        match from {
            Client => self.http.client_said(self.now, bytes, &mut |bytes| {
                assert!(!bytes.is_empty());
                to_server.extend_from_slice(&bytes);
            }),
            Server => self.http.server_said(bytes),
        }
        self.drain()
    }

    /// What leaves now.
    fn drain(&mut self) -> &mut Self {
        // Bounded: some rules write for a long time.
        for _ in 0..10_000 {
            match self.http.next(self.now) {
                Some(What::Bytes(bytes)) => {
                    assert!(!bytes.is_empty());
                    self.to_client.extend_from_slice(&bytes);
                }
                Some(what) => {
                    self.last.get_or_insert(what);
                    return self;
                }
                None => return self,
            }
        }
        self
    }

    fn waits(&mut self, time: Duration) -> &mut Self {
        self.now += i64::try_from(time.as_nanos()).unwrap();
        self.drain()
    }

    fn ends(&mut self, from: Who) -> &mut Self {
        match from {
            Client => {
                let rest = self.http.client_ended();
                self.to_server.extend_from_slice(&rest);
            }
            Server => self.http.server_ended(What::End),
        }
        self.drain()
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.to_client).into_owned()
    }
}

const POST: &str = "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 46\r\n\r\n\
    {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"id\":1,\"x\"";

/// A conversation of every framing.
fn conversation() -> Vec<(Who, String)> {
    let client = |text: &str| (Client, text.to_owned());
    let server = |text: &str| (Server, text.to_owned());
    vec![
        client(POST),
        server(ANSWER),
        client("\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        server(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        server("3;x\r\nabc\r\n"),
        server("0\r\nt: u\r\n\r\n"),
        client("HEAD / HTTP/1.1\r\n\r\nDELETE / HTTP/1.1\r\n\r\n"),
        server("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nHTTP/1.1 204 Gone\r\n\r\n"),
        client("GET /until-the-end HTTP/1.0\r\n\r\n"),
        server("HTTP/1.0 200 OK\r\n\r\nand so on"),
    ]
}

fn said(conversation: &[(Who, String)], from: Who) -> String {
    let of = conversation.iter().filter(|(who, _)| *who == from);
    of.map(|(_, text)| text.as_str()).collect()
}

#[test]
fn a_conversation_passes_as_it_is_however_it_is_cut() {
    let conversation = conversation();
    for size in [1, 2, 3, 7, 64, 4096] {
        let mut played = Played::plain();
        for (from, text) in &conversation {
            for piece in text.as_bytes().chunks(size) {
                // Even within a head.
                assert!(played.http.takes_answers() && played.http.takes_requests());
                played.says(*from, piece);
            }
        }
        assert!(!played.http.answers.is_raw(), "pieces of {size}");
        played.ends(Client).ends(Server);
        assert_eq!(played.to_server, said(&conversation, Client).as_bytes());
        assert_eq!(played.heard(), said(&conversation, Server));
        assert_eq!(played.last, Some(What::End));
        assert!(played.http.pending.is_empty());
    }
}

#[test]
fn every_answer_is_named_and_no_body_changes() {
    let conversation = conversation();
    let mut played = Played::new(&rule_set(&[], Some("server-1#2")));
    for (from, text) in &conversation {
        played.says(*from, text.as_bytes());
    }
    let heard = played.heard();
    // Five answers; 100 Continue is none.
    assert_eq!(
        heard
            .matches("\r\nmcpload-instance: server-1#2\r\n")
            .count(),
        5
    );
    let without = heard.replace("mcpload-instance: server-1#2\r\n", "");
    assert_eq!(without, said(&conversation, Server));
}

#[test]
fn an_event_passes_before_the_next_one_is_sent() {
    let mut played = Played::new(&rule_set(&["status=503,method=never"], Some("a")));
    played.says(Client, POST.as_bytes());
    played.says(
        Server,
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        // Even half a chunk.
        let (half, rest) = chunk.split_at(chunk.len() / 2);
        played.says(Server, half.as_bytes());
        assert!(played.heard().ends_with(half));
        played.says(Server, rest.as_bytes());
        assert!(played.heard().ends_with(rest));
    }
}

#[test]
fn a_rule_that_does_not_ask_keeps_the_request_and_the_order() {
    let mut played = Played::new(&rule_set(&["status=503,retry-after=2,nth=2"], None));
    played.says(Client, POST.repeat(3).as_bytes());
    // Two of three go on; the second waits for its turn.
    assert_eq!(played.to_server, POST.repeat(2).as_bytes());
    assert_eq!(played.heard(), "");
    played.says(Server, ANSWER.as_bytes());
    let heard = played.heard();
    let (first, second) = heard.split_once("HTTP/1.1 503").unwrap();
    assert_eq!(first, ANSWER);
    assert!(second.contains("retry-after: 2"), "{second}");
    played.says(Server, ANSWER.as_bytes());
    assert!(played.heard().ends_with(ANSWER));
    assert!(played.http.pending.is_empty());
}

#[test]
fn what_a_rule_replaces_is_read_over_and_the_next_answer_is_right() {
    let mut played = Played::new(&rule_set(&["status=500,executed,first=1"], None));
    played
        .says(Client, POST.as_bytes())
        .says(Client, POST.as_bytes());
    assert_eq!(played.to_server, POST.repeat(2).as_bytes());
    played
        .says(Server, ANSWER.as_bytes())
        .says(Server, ANSWER.as_bytes());
    let heard = played.heard();
    assert!(heard.starts_with("HTTP/1.1 500"), "{heard}");
    assert!(heard.ends_with(ANSWER));
    assert_eq!(heard.matches("HTTP/1.1").count(), 2);
}

#[test]
fn an_expired_token_after_some_calls_and_a_header_that_is_missing() {
    let rules = rule_set(
        &["status=401,skip=1", "strip-header=content-type"],
        Some("a"),
    );
    let mut played = Played::new(&rules);
    played
        .says(Client, POST.as_bytes())
        .says(Server, ANSWER.as_bytes());
    let heard = played.heard();
    assert!(!heard.contains("application/json") && heard.contains("mcpload-instance: a"));
    assert!(heard.ends_with("\r\n\r\n{\"id\":1,\"x\""), "{heard}");
    played.says(Client, POST.as_bytes());
    let heard = played.heard();
    assert!(heard.contains("HTTP/1.1 401 Unauthorized\r\n"), "{heard}");
    assert!(heard.contains("www-authenticate: Bearer error=\"invalid_token\""));
    let counted = rules.armed[0].tally.counted();
    assert_eq!((counted.chunks, counted.hits), (2, 2));
}

#[test]
fn a_stream_is_cut_at_its_event_and_the_connection_with_it() {
    let mut played = Played::new(&rule_set(&["cut-stream=2"], None));
    played.says(Client, POST.as_bytes());
    played.says(
        Server,
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for _ in 0..3 {
        played.says(Server, b"9\r\ndata: {}\n\r\n1\r\n\n\r\n");
    }
    assert_eq!(played.heard().matches("data: {}").count(), 2);
    assert_eq!(played.last, Some(What::Close));
}

#[test]
fn waits_are_kept_and_end_with_their_rule() {
    let rules = rule_set(&["delay=10s"], None);
    for lifted in [false, true] {
        let mut played = Played::new(&rules);
        played
            .says(Client, POST.as_bytes())
            .says(Server, ANSWER.as_bytes());
        assert_eq!(played.http.due(true), Some(1_000 + 10_000_000_000));
        played.waits(Duration::from_secs(9));
        assert_eq!(played.heard(), "");
        if lifted {
            played.http.set(&RuleSet::default(), 0);
            played.drain();
        } else {
            played.waits(Duration::from_secs(1));
        }
        assert!(
            played.heard().ends_with("\r\n\r\n{\"id\":1,\"x\""),
            "{lifted}"
        );
    }
}

#[test]
fn rules_come_and_go_between_the_requests_of_a_connection() {
    let mut played = Played::plain();
    let broken = rule_set(&["status=503"], None);
    for _ in 0..3 {
        played.http.set(&RuleSet::default(), 0);
        played
            .says(Client, POST.as_bytes())
            .says(Server, ANSWER.as_bytes());
        assert!(played.heard().ends_with(ANSWER));
        played.http.set(&broken, 0);
        played.says(Client, POST.as_bytes());
        assert!(!played.heard().ends_with(ANSWER));
    }
    assert_eq!(played.heard().matches("HTTP/1.1 503").count(), 3);
}

#[test]
fn what_is_no_http_passes_unchanged_from_there_on() {
    let rules = rule_set(&["status=503"], Some("a"));
    let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(MOST_HEAD));
    for text in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0",
        "PING\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "\x16\x03\x01\x02\0",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nabc",
        &long,
    ] {
        let mut played = Played::new(&rules);
        played.says(Client, text.as_bytes());
        assert_eq!(played.to_server, text.as_bytes());
        played.says(Server, b"HTTP/1.1 200 OK\r\n\r\n");
        played.says(Client, POST.as_bytes());
        assert_eq!(
            played.to_server,
            [text.as_bytes(), POST.as_bytes()].concat()
        );
        assert_eq!(played.heard(), "HTTP/1.1 200 OK\r\n\r\n");
    }
    // An upgrade.
    let mut played = Played::new(&rule_set(&[], Some("a")));
    let upgraded = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n\x01\x02";
    played.says(Client, b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n");
    played
        .says(Server, upgraded.as_bytes())
        .says(Client, b"\x81\x05hello");
    assert_eq!(played.heard(), upgraded);
    assert!(played.to_server.ends_with(b"\x81\x05hello"));
}

#[test]
fn a_request_whose_body_waits_for_leave_or_is_too_long_is_judged_by_its_head() {
    for (head, body) in [
        ("expect: 100-continue\r\ncontent-length: 46", 0),
        ("content-length: 2000000", 2_000_000),
        ("transfer-encoding: chunked", 3 << 20),
    ] {
        let mut played = Played::new(&rule_set(
            &["status=503,method=tools/list", "status=502,on=any"],
            None,
        ));
        let head = format!("POST / HTTP/1.1\r\n{head}\r\n\r\n");
        played.says(Client, head.as_bytes());
        if head.contains("chunked") {
            played.says(Client, format!("{body:x}\r\n").as_bytes());
        }
        for _ in 0..body / 1000 {
            played.says(Client, &[b'x'; 1000]);
        }
        assert!(played.heard().starts_with("HTTP/1.1 502"), "{head}");
        assert_eq!(played.to_server, b"");
    }
}

fn texts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let of_http: Vec<String> = conversation().into_iter().map(|(_, text)| text).collect();
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..60),
        "[a-zA-Z0-9 :;/{}\"\r\n]{1,60}".prop_map(String::into_bytes),
        // A conversation's piece with a byte that is another.
        (0..of_http.len(), any::<u8>(), any::<u16>()).prop_map(move |(which, byte, place)| {
            let mut text = of_http[which].clone().into_bytes();
            let place = usize::from(place) % (text.len() * 2);
            if let Some(there) = text.get_mut(place) {
                *there = byte;
            }
            text
        }),
    ];
    proptest::collection::vec((any::<bool>(), piece), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_arrives_as_it_was_said(texts in texts(), size in 1_usize..80) {
        let mut played = Played::plain();
        let (mut client, mut server) = (Vec::new(), Vec::new());
        for (is_client, text) in &texts {
            if *is_client { &mut client } else { &mut server }.extend_from_slice(text);
            for piece in text.chunks(size) {
                played.says(if *is_client { Client } else { Server }, piece);
            }
        }
        played.ends(Client).ends(Server);
        prop_assert_eq!(played.to_server, client);
        prop_assert_eq!(played.to_client, server);
        prop_assert_eq!(played.last, Some(What::End));
    }

    #[test]
    fn no_rule_makes_it_panic(texts in texts(), size in 1_usize..80, action in 0..ACTIONS.len()) {
        let rule: Rule = ACTIONS[action].example.parse().unwrap();
        let mut played = Played::new(&armed_with(vec![rule.on_everything()], Some("a")));
        for (is_client, text) in &texts {
            for piece in text.chunks(size) {
                played.says(if *is_client { Client } else { Server }, piece);
            }
            played.waits(Duration::from_secs(2));
        }
        played.ends(Client).ends(Server).waits(Duration::from_hours(1));
    }
}
