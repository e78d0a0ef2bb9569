//! What each action makes of an answer, byte by byte. Here: how the tests speak, the property that nothing changes what no
//! rule hits, and the order of rules. By family: the files below.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proptest::prelude::*;

use super::part::{Body, Connection};
use super::*;

mod messages;
mod shapes;
mod streams;

/// What a client saw and the server did, for one answer.
#[derive(Debug)]
struct Seen {
    /// The head, without the empty line.
    head: String,
    /// What came after the head, as it was written.
    raw: Vec<u8>,
    /// The acts but writes and flushes.
    acts: Vec<Act>,
    /// After how many parts each write came: 0 for before the first.
    writes: Vec<(usize, Bytes)>,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    /// The body without its framing; a cut one as far as it came.
    fn body(&self) -> Vec<u8> {
        if self.head.contains("transfer-encoding: chunked") {
            dechunk(&self.raw).0
        } else {
            self.raw.clone()
        }
    }

    /// Whether a chunked body has its end.
    fn has_end(&self) -> bool {
        dechunk(&self.raw).1
    }

    fn has(&self, field: &str) -> bool {
        self.head.lines().any(|line| line == field)
    }

    fn last(&self) -> &Act {
        self.acts.last().unwrap()
    }
}

/// The data of a chunked body, and whether it ended.
fn dechunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(raw) {
        if size == 0 {
            return (body, raw.ends_with(b"\r\n\r\n"));
        }
        let end = line + usize::try_from(size).unwrap();
        body.extend_from_slice(&raw[line..end.min(raw.len())]);
        if raw.len() < end + 2 {
            break;
        }
        assert_eq!(&raw[end..end + 2], b"\r\n");
        raw = &raw[end + 2..];
    }
    (body, false)
}

/// Feeds parts to a transformer and does nothing with what it says but to write it down.
fn run(mut transformer: Transformer, parts: impl IntoIterator<Item = Part>) -> Seen {
    let mut acts = Vec::new();
    let mut writes: Vec<(usize, Bytes)> = Vec::new();
    let mut take = |transformer: &mut Transformer, number: usize| {
        while let Some(act) = transformer.next_act() {
            match act {
                Act::Write(bytes) => writes.push((number, bytes)),
                Act::Flush => {}
                other => acts.push(other),
            }
        }
    };
    take(&mut transformer, 0);
    if transformer.asks() {
        for (number, part) in parts.into_iter().enumerate() {
            transformer.take(part);
            take(&mut transformer, number + 1);
        }
    }
    assert!(transformer.is_over());
    let bytes: Vec<u8> = writes
        .iter()
        .flat_map(|(_, bytes)| bytes.to_vec())
        .collect();
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(0, |end| end + 4);
    Seen {
        head: String::from_utf8_lossy(&bytes[..end])
            .trim_end()
            .replace("\r\n", "\n"),
        raw: bytes[end..].to_vec(),
        acts,
        writes,
    }
}

fn head(media_type: &'static str, length: Option<usize>) -> Part {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert("mcp-session-id", HeaderValue::from_static("s-1"));
    Part::Head(Head::new(
        StatusCode::OK,
        headers,
        length.map(|length| length as u64),
    ))
}

fn json(body: &str) -> Vec<Part> {
    vec![
        head("application/json", Some(body.len())),
        Part::Body(Bytes::copy_from_slice(body.as_bytes())),
        Part::End,
    ]
}

/// An event stream, one part for each piece.
fn events(pieces: &[&str]) -> Vec<Part> {
    let mut parts = vec![head("text/event-stream", None)];
    parts.extend(
        pieces
            .iter()
            .map(|piece| Part::Body(Bytes::copy_from_slice(piece.as_bytes()))),
    );
    parts.push(Part::End);
    parts
}

fn rules(texts: &[&str]) -> Rules {
    Rules::new(
        texts.iter().map(|text| text.parse().unwrap()).collect(),
        Seed(7),
    )
}

fn call(method: &str, session: Option<&str>) -> Request {
    let mut headers = HeaderMap::new();
    if let Some(session) = session {
        headers.insert("mcp-session-id", session.parse().unwrap());
    }
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
    Request::read(&Method::POST, &headers, body.as_bytes())
}

/// One answer under one rule that hits it.
fn under(rule: &str, parts: Vec<Part>) -> Seen {
    let transformer = rules(&[rule]).transformer(&call("tools/call", None), Terms::default());
    assert_eq!(transformer.hit(), Some(0), "{rule}");
    run(transformer, parts)
}

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}],"isError":false}}"#;
const PROGRESS: &str = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n";
const PRIMING: &str = "id: 0\nretry: 3000\ndata: \n\n";

fn answer_event() -> String {
    format!("id: 1\ndata: {ANSWER}\n\n")
}

/// One answer under the action of this rule, whatever its conditions.
fn under_action(rule: &str, parts: Vec<Part>) -> Seen {
    let rule: Rule = rule.parse().unwrap();
    let mut rules = Rules::new(vec![rule.on_everything()], Seed(7));
    run(
        rules.transformer(&Request::default(), Terms::default()),
        parts,
    )
}

#[test]
fn every_action_ends_every_answer() {
    let stream = [PRIMING, PROGRESS, &answer_event()];
    for action in actions::ACTIONS {
        for mut parts in [
            json(ANSWER),
            events(&stream),
            json("no json"),
            events(&["no event"]),
        ] {
            // `run` holds that the transformer knew its end.
            under_action(action.example, parts.clone());
            parts.pop();
            parts.push(Part::Broken);
            let seen = under_action(action.example, parts);
            // What broke off is not passed on as whole; what stands in its place is.
            let instead = ["status", "redirect", "html"].contains(&action.name);
            assert_eq!(seen.last() == &Act::Done, instead, "{}", action.name);
        }
    }
}

#[test]
fn the_first_rule_that_hits_acts_and_what_it_leaves_goes_to_the_next() {
    let mut rules = rules(&[
        "status=503,nth=2",
        "status=404,method=tools/list",
        "gzip,first=1",
    ]);
    let mut hit = |method: &str| {
        rules
            .transformer(&call(method, None), Terms::default())
            .hit()
    };
    assert_eq!(hit("tools/list"), Some(1));
    assert_eq!(hit("tools/list"), Some(0));
    assert_eq!(hit("tools/call"), Some(2));
    assert_eq!(hit("tools/call"), Some(0));
    assert_eq!(hit("tools/call"), None);
    let counts: Vec<Counts> = rules.counts().map(|(_, counts)| counts).collect();
    let expected = [(5, 2), (1, 1), (2, 1)].map(|(met, hit)| Counts { met, hit });
    assert_eq!(counts, expected);
}

#[test]
fn the_same_seed_hits_the_same_requests() {
    let hits = |seed| -> Vec<bool> {
        let mut rules = Rules::new(vec!["html,share=50%".parse().unwrap()], Seed(seed));
        let request = call("ping", None);
        (0..64)
            .map(|_| {
                rules
                    .transformer(&request, Terms::default())
                    .hit()
                    .is_some()
            })
            .collect()
    };
    assert_eq!(hits(1), hits(1));
    assert_ne!(hits(1), hits(2));
}

#[test]
fn the_help_names_every_action_and_condition() {
    let help = help();
    for action in actions::ACTIONS {
        assert!(help.contains(action.name), "{}", action.name);
    }
    for condition in CONDITIONS {
        assert!(help.contains(condition.name), "{}", condition.name);
    }
}

proptest! {
    #[test]
    fn what_no_rule_hits_comes_out_as_it_came_in_and_at_once(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
        declared: bool,
        events: bool,
        connection in prop::sample::select(vec![Connection::KeepAlive, Connection::Close, Connection::CloseUnchunked]),
        watched: bool,
    ) {
        let body = chunks.concat();
        let media_type = if events { "text/event-stream" } else { "application/octet-stream" };
        let mut parts = vec![head(media_type, declared.then_some(body.len()))];
        parts.extend(chunks.iter().map(|chunk| Part::Body(Bytes::copy_from_slice(chunk))));
        parts.push(Part::End);
        // A rule that watches what it does not hit leaves the bytes alone too.
        let mut rules = if watched { rules(&["swap-ids,share=0%"]) } else { rules(&["html,method=ping"]) };
        let terms = Terms { body: Body::Wanted, connection };
        let seen = run(rules.transformer(&call("tools/call", None), terms), parts);
        prop_assert_eq!(seen.body(), body);
        prop_assert_eq!(seen.last() == &Act::Done, connection == Connection::KeepAlive);
        if !watched {
            let mut early = BytesMut::new();
            for (number, chunk) in chunks.iter().enumerate() {
                early.extend_from_slice(chunk);
                let written: usize = seen.writes.iter().filter(|(part, _)| *part <= number + 2).map(|(_, bytes)| bytes.len()).sum();
                prop_assert!(written >= early.len());
            }
        }
    }

    #[test]
    fn no_body_makes_an_action_panic(
        action in prop::sample::select(actions::ACTIONS.iter().filter(|action| !action.name.starts_with("endless") && action.name != "bomb").map(|action| action.example).collect::<Vec<_>>()),
        pieces in proptest::collection::vec(
            prop::sample::select(vec!["data: {\"id\":1,\"result\":{\"a\":\"b\"}}", "data: {", "{\"result\":", "[1]", "\n", "\r\n", "\r", ":", "id: 1", "é"]), 0..30),
        media_type in prop::sample::select(vec!["text/event-stream", "application/json", "text/html"]),
        declared in proptest::option::of(0_usize..100),
    ) {
        let mut parts = vec![head(media_type, declared)];
        parts.extend(pieces.into_iter().map(|piece| Part::Body(Bytes::from_static(piece.as_bytes()))));
        parts.push(Part::End);
        under_action(action, parts);
    }
}
