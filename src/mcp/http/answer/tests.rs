//! Answers cut anywhere, lengths and chunks of every form, and bytes that are no answer.
//!
//! Pure.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn of(text: &str) -> Head {
    head(text.as_bytes()).unwrap().unwrap().0
}

/// Reads a whole answer from pieces: status, body, whether the connection can be used again, what is left over.
fn read(pieces: &[&[u8]]) -> Result<(u16, Vec<u8>, bool, Vec<u8>), AnswerError> {
    let mut buffer = Vec::new();
    let mut known: Option<Head> = None;
    let mut body = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if known.is_none() {
            let Some((found, length)) = head(&buffer)? else {
                continue;
            };
            buffer.drain(..length);
            known = Some(found);
        }
        let framing = &mut known.as_mut().unwrap().framing;
        while !framing.is_over() {
            let part = framing.next(&buffer)?;
            body.extend_from_slice(&buffer[part.skip..part.skip + part.take]);
            buffer.drain(..part.skip + part.take);
            if part.take == 0 {
                break;
            }
        }
    }
    let head = known.unwrap();
    let over = head.framing.is_over();
    Ok((head.status.as_u16(), body, over && head.keeps, buffer))
}

#[test]
fn the_length_is_told_as_the_standard_says() {
    let framing = |fields: &str| head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes());
    let found = |fields: &str| framing(fields).unwrap().unwrap().0.framing;
    assert_eq!(found("content-length: 5\r\n"), Framing::Length(5));
    assert_eq!(found("content-length: 5, 5\r\n"), Framing::Length(5));
    assert_eq!(
        found("content-length: 5\r\nContent-Length: 5\r\n"),
        Framing::Length(5)
    );
    assert_eq!(found(""), Framing::UntilClose);
    assert_eq!(
        found("transfer-encoding: gzip, chunked\r\n"),
        Framing::Chunked(Chunks::default())
    );
    assert_eq!(
        found("transfer-encoding: chunked\r\ncontent-length: 3\r\n"),
        Framing::Chunked(Chunks::default())
    );
    assert_eq!(found("transfer-encoding: gzip\r\n"), Framing::UntilClose);
    for wrong in ["5, 6", "+5", "-1", "0x5", "5 5", "", "99999999999999999999"] {
        assert!(
            framing(&format!("content-length: {wrong}\r\n")).is_err(),
            "{wrong}"
        );
    }
    for status in ["100 Continue", "204 No Content", "304 Not Modified"] {
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 7\r\n\r\n");
        assert_eq!(of(&text).framing, Framing::Length(0), "{status}");
    }
}

#[test]
fn a_connection_is_kept_unless_somebody_says_otherwise() {
    let keeps = |version: &str, fields: &str| {
        of(&format!(
            "HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{fields}\r\n"
        ))
        .keeps
    };
    assert!(keeps("1.1", ""));
    assert!(!keeps("1.1", "connection: close\r\n"));
    assert!(!keeps("1.1", "Connection: x, Close\r\n"));
    assert!(!keeps("1.0", ""));
    assert!(keeps("1.0", "connection: keep-alive\r\n"));
    assert!(!of("HTTP/1.1 200 OK\r\n\r\n").keeps);
}

#[test]
fn what_is_no_head_is_refused_and_what_is_too_long_too() {
    assert!(head(b"SSH-2.0-x\r\n\r\n").is_err());
    assert!(head(b"HTTP/1.1 200").unwrap().is_none());
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MAX_HEAD as usize));
    assert!(matches!(head(long.as_bytes()), Err(AnswerError::TooLong)));
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "a: b\r\n".repeat(MAX_HEADERS + 1)
    );
    assert_eq!(
        head(many.as_bytes()).unwrap().unwrap().0.headers.len(),
        MAX_HEADERS + 1
    );
    let more = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "a: b\r\n".repeat(MAX_HEADERS + 2)
    );
    assert!(head(more.as_bytes()).is_err());
}

#[test]
fn chunks_have_one_form_only() {
    let chunked = |body: &str| {
        let text = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
        read(&[text.as_bytes()])
    };
    let body = |text: &str| chunked(text).unwrap().1;
    assert_eq!(body("3\r\nabc\r\n0\r\n\r\n"), b"abc");
    assert_eq!(
        body("3;x=\"y\"\r\nabc\r\nA \r\n0123456789\r\n0\r\nt: u\r\n\r\n"),
        b"abc0123456789"
    );
    let whole = chunked("1\r\na\r\n0\r\n\r\nHTTP").unwrap();
    assert_eq!((whole.2, whole.3.as_slice()), (true, &b"HTTP"[..]));
    assert!(!chunked("1\r\na\r\n0\r\n").unwrap().2);
    for wrong in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "3\nabc\r\n",
        "1\r\nab\r\n",
        "11111111111111111\r\n",
    ] {
        assert!(chunked(wrong).is_err(), "{wrong:?}");
    }
    let endless = format!("1;{}", "x".repeat(9 << 10));
    assert!(chunked(&endless).is_err());
    let trailers = format!("0\r\n{}", "t: u\r\n".repeat(20_000));
    assert!(chunked(&trailers).is_err());
}

proptest! {
    #[test]
    fn an_answer_is_the_same_however_it_is_cut(
        chunks in proptest::collection::vec("[ -~]{1,40}", 0..6),
        cuts in proptest::collection::vec(1_usize..30, 1..20),
        is_chunked in any::<bool>(),
    ) {
        let body: String = chunks.concat();
        let mut text = "HTTP/1.1 200 OK\r\n".to_owned();
        if is_chunked {
            text.push_str("transfer-encoding: chunked\r\n\r\n");
            for chunk in &chunks {
                write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
            }
            text.push_str("0\r\n\r\n");
        } else {
            write!(text, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
        let mut pieces = Vec::new();
        let mut rest = text.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let read = read(&pieces).unwrap();
        prop_assert_eq!(read, (200, body.into_bytes(), true, Vec::new()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), chunked in any::<bool>()) {
        let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
        if chunked {
            text.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        }
        text.extend_from_slice(&bytes);
        let _ = head(&text).map(|found| found.map(|(mut head, length)| {
            let mut at = length;
            while let Ok(part) = head.framing.next(&text[at..]) {
                at += part.skip + part.take;
                assert!(at <= text.len());
                if part.take == 0 {
                    break;
                }
            }
        }));
    }
}
