//! Actions in place of answers, on headers, on framing and on coding.

use std::io::Read;
use std::time::Duration;

use super::*;

#[test]
fn a_status_goes_out_in_place_of_the_answer() {
    for code in [400, 401, 403, 404, 406, 409, 421, 429, 500, 502, 503] {
        let seen = under(&format!("status={code}"), json(ANSWER));
        let status = StatusCode::from_u16(code).unwrap();
        assert!(
            seen.head.starts_with(&format!("HTTP/1.1 {status}\n")),
            "{}",
            seen.head
        );
        assert_eq!(seen.text(), format!("{status}\n"));
        assert_eq!(seen.acts, [Act::Done]);
        assert_eq!(seen.head.contains("www-authenticate"), code == 401);
    }
    let seen = under("status=429,retry-after=7", Vec::new());
    assert!(seen.has("retry-after: 7"));
    let seen = under(
        "status=403,authenticate=\"Bearer error=\\\"insufficient_scope\\\"\"",
        Vec::new(),
    );
    assert!(seen.has("www-authenticate: Bearer error=\"insufficient_scope\""));
}

#[test]
fn a_request_that_is_executed_is_asked_for_and_its_answer_lost() {
    let asks = |rule: &str| {
        rules(&[rule])
            .transformer(&call("ping", None), Terms::default())
            .asks()
    };
    for rule in [
        "status=503",
        "html",
        "never",
        "close-before-head",
        "redirect=http://a/",
    ] {
        assert!(!asks(rule), "{rule}");
        assert!(asks(&format!("{rule},executed")), "{rule}");
        let seen = under(&format!("{rule},executed"), json(ANSWER));
        assert!(!String::from_utf8_lossy(&seen.raw).contains("result"));
        assert!(
            seen.writes.iter().all(|(part, _)| *part == 3),
            "only after its end"
        );
    }
}

#[test]
fn a_redirect_says_where_to() {
    let seen = under("redirect=http://127.0.0.1:9/mcp,code=302", Vec::new());
    assert!(seen.head.starts_with("HTTP/1.1 302 Found\n"));
    assert!(seen.has("location: http://127.0.0.1:9/mcp"));
    assert!(
        under("redirect=/x", Vec::new())
            .head
            .starts_with("HTTP/1.1 307 ")
    );
}

#[test]
fn html_is_ok_and_no_json() {
    let seen = under("html", Vec::new());
    assert!(seen.head.starts_with("HTTP/1.1 200 OK\n"));
    assert!(seen.has("content-type: text/html; charset=utf-8"));
    assert!(seen.text().starts_with("<!DOCTYPE html>"));
}

#[test]
fn silence_writes_nothing() {
    for (rule, acts) in [
        (
            "never=3s",
            vec![Act::Wait(Duration::from_secs(3)), Act::Close],
        ),
        ("close-before-head", vec![Act::Close]),
        ("close-before-head=reset", vec![Act::Reset]),
    ] {
        let seen = under(rule, Vec::new());
        assert!(seen.writes.is_empty());
        assert_eq!(seen.acts, acts, "{rule}");
    }
}

#[test]
fn a_truncated_body_is_shorter_than_its_head_says() {
    let seen = under("truncate=20", json(ANSWER));
    assert!(seen.has(&format!("content-length: {}", ANSWER.len())));
    assert_eq!(seen.text(), ANSWER[..20]);
    assert_eq!(seen.acts, [Act::Close]);
    let seen = under("truncate=50", events(&[PROGRESS, PROGRESS]));
    assert_eq!(seen.text(), PROGRESS[..50]);
    assert!(!seen.has_end());
    assert!(under("truncate=0", json(ANSWER)).raw.is_empty());
}

#[test]
fn a_declared_length_is_not_what_comes() {
    let seen = under("declared-length,hold=1s", json(ANSWER));
    assert!(seen.has("content-length: 1000000000"));
    assert_eq!(seen.text(), ANSWER);
    assert_eq!(seen.acts, [Act::Wait(Duration::from_secs(1)), Act::Close]);
}

#[test]
fn headers_can_be_taken_away_and_set() {
    let seen = under("strip-header=Mcp-Session-Id", json(ANSWER));
    assert!(!seen.head.contains("mcp-session-id") && seen.has("content-type: application/json"));
    let seen = under("set-header=set-cookie:route=a; Path=/", json(ANSWER));
    assert!(seen.has("set-cookie: route=a; Path=/"));
    let seen = under("set-header=content-type:text/html", json(ANSWER));
    assert!(seen.has("content-type: text/html") && !seen.head.contains("json"));
}

#[test]
fn a_body_whose_framing_is_taken_away_ends_with_the_connection() {
    for (rule, parts) in [
        ("strip-header=content-length", json(ANSWER)),
        ("strip-header=transfer-encoding", events(&[ANSWER])),
    ] {
        let seen = under(rule, parts);
        assert_eq!(String::from_utf8_lossy(&seen.raw), ANSWER);
        assert!(!seen.head.contains("content-length") && !seen.head.contains("transfer-encoding"));
        assert!(seen.has("connection: close"));
        assert_eq!(seen.acts, [Act::Close]);
    }
    let seen = under("set-header=content-length:5", json(ANSWER));
    assert!(seen.has("content-length: 5"));
    assert_eq!(seen.head.matches("content-length").count(), 1);
}

#[test]
fn a_flood_of_headers_is_as_long_as_asked() {
    let seen = under("header-flood=200,size=50", json(ANSWER));
    let flood = seen
        .head
        .lines()
        .filter(|line| line.starts_with("x-flood-"));
    assert_eq!(flood.count(), 200);
    assert!(seen.has(&format!("x-flood-199: {}", "x".repeat(50))));
    assert_eq!(seen.text(), ANSWER);
    assert!(under("header-flood=20000,size=1", json(ANSWER)).has("x-flood-19999: x"));
}

#[test]
fn odd_chunks_hold_the_body_unchanged() {
    let body = ANSWER.repeat(200);
    let seen = under("chunked-oddities", json(&body));
    assert_eq!(seen.body(), body.as_bytes());
    assert!(!seen.head.contains("content-length"));
    let raw = String::from_utf8(seen.raw).unwrap();
    for odd in [
        "1\r\n",
        ";name=value\r\n",
        "A\r\n",
        "a;quoted",
        "0001",
        "\r\n000;last\r\nx-odd-trailer: yes\r\n\r\n",
    ] {
        assert!(raw.contains(odd), "{odd:?}");
    }
    assert_eq!(seen.acts, [Act::Done]);
}

fn inflate(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body)
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

#[test]
fn a_compressed_body_is_the_body_and_comes_as_it_is_there() {
    let seen = under("gzip", json(ANSWER));
    assert!(seen.has("content-encoding: gzip") && !seen.head.contains("content-length"));
    assert_eq!(inflate(&seen.body()), ANSWER.as_bytes());
    let seen = under("gzip", events(&[PROGRESS, &answer_event()]));
    // After two parts, head and first event, that event can be read.
    let (_, early): (Vec<usize>, Vec<&Bytes>) = seen
        .writes
        .iter()
        .filter(|(part, _)| *part <= 2)
        .map(|(part, bytes)| (*part, bytes))
        .unzip();
    let early: Vec<u8> = early
        .iter()
        .skip(1)
        .flat_map(|bytes| dechunk(bytes).0)
        .collect();
    let mut event = vec![0; PROGRESS.len()];
    flate2::read::GzDecoder::new(&early[..])
        .read_exact(&mut event)
        .unwrap();
    assert_eq!(event, PROGRESS.as_bytes());
}

#[test]
fn a_bomb_is_small_on_the_wire_and_large_behind_it() {
    let seen = under("bomb=8MiB", json(ANSWER));
    let body = seen.body();
    assert!(body.len() < 64 << 10, "{}", body.len());
    let plain = inflate(&body);
    assert_eq!(plain.len(), (8 << 20) + ANSWER.len());
    assert!(serde_json::from_slice::<serde_json::Value>(&plain).is_ok());
    let plain = inflate(&under("bomb=1MiB", events(&[&answer_event()])).body());
    let mut datas = Vec::new();
    crate::mcp::sse::Parser::default()
        .push(&plain, &mut |event| datas.push(event.data))
        .unwrap();
    assert_eq!(datas, [ANSWER.as_bytes()]);
}
