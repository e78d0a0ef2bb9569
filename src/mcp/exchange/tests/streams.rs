//! What an exchange makes of answers that come on a stream of messages.

use super::*;

fn status() -> Exchange {
    Exchange::new(Awaited::Status, Era::Legacy, false, None)
}

fn streamed(mut exchange: Exchange) -> Exchange {
    let _ = exchange.take(&Item::Streamed);
    let _ = exchange.take(&Item::Sent { at: 10 });
    exchange
}

fn message(exchange: &mut Exchange, at: i64, text: &str) -> Progress {
    exchange.take(&Item::Message {
        at,
        bytes: text.as_bytes(),
    })
}

#[test]
fn an_answer_counts_from_when_it_came_even_before_it_was_promised() {
    let mut exchange = streamed(exchange(false));
    assert_eq!(exchange.take(&Item::Accepted { at: 30 }), Progress::More);
    assert_eq!(message(&mut exchange, 20, RIGHT), Progress::Complete);
    assert_eq!(class(&exchange), (Class::None, None));
    let facts = exchange.facts();
    assert_eq!((facts.first_byte, facts.first_event), (Some(20), Some(20)));
    assert_eq!((facts.events, facts.bytes_in), (1, RIGHT.len() as u64));
}

#[test]
fn who_answered_may_be_learnt_after_the_answer() {
    let mut exchange = streamed(exchange(false));
    let _ = message(&mut exchange, 20, RIGHT);
    let mut headers = HeaderMap::new();
    headers.insert("mcpload-instance", HeaderValue::from_static("server-2#1"));
    let _ = exchange.take(&Item::Answered { headers: &headers });
    let _ = exchange.take(&Item::Broken { at: 30 });
    assert_eq!(class(&exchange), (Class::None, None));
    assert_eq!(exchange.facts().instance, "server-2#1");
}

#[test]
fn a_late_answer_is_dropped_and_a_foreign_one_is_malformed() {
    let mut exchange = streamed(exchange(false));
    let late = RIGHT.replace("\"id\":7", "\"id\":6");
    assert_eq!(message(&mut exchange, 20, &late), Progress::More);
    let foreign = RIGHT.replace("\"id\":7", "\"id\":8");
    assert_eq!(message(&mut exchange, 21, &foreign), Progress::Complete);
    assert_eq!(class(&exchange), (Class::Malformed, None));
}

#[test]
fn a_stream_that_ends_is_truncated_once_something_came() {
    let mut silent = streamed(exchange(false));
    let _ = silent.take(&Item::Written { at: 15 });
    let _ = silent.take(&Item::Broken { at: 20 });
    assert_eq!(class(&silent), (Class::Transport, None));
    let mut taken = streamed(exchange(false));
    let _ = taken.take(&Item::Accepted { at: 15 });
    let _ = taken.take(&Item::Broken { at: 20 });
    assert_eq!(class(&taken), (Class::Truncated, None));
    let mut gone = exchange(false);
    let _ = gone.take(&Item::Gone { at: 5 });
    assert_eq!(class(&gone), (Class::SessionLost, None));
}

#[test]
fn a_message_without_answer_is_done_when_it_was_written_or_taken() {
    for item in [Item::Written { at: 20 }, Item::Accepted { at: 20 }] {
        let mut exchange = streamed(status());
        // What comes meanwhile is answered where it asks, and decides nothing.
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for text in ["nonsense", RIGHT] {
            assert_eq!(message(&mut exchange, 15, text), Progress::More);
        }
        assert_eq!(message(&mut exchange, 15, ping), Progress::More);
        assert_eq!(exchange.take_replies().len(), 1);
        assert_eq!(exchange.take(&item), Progress::Complete);
        assert_eq!(class(&exchange), (Class::None, None));
        assert_eq!(exchange.facts().first_byte, Some(15));
    }
    let mut quiet = streamed(status());
    let _ = quiet.take(&Item::Written { at: 20 });
    assert_eq!(quiet.facts().first_byte, None);
}

#[test]
fn a_listener_answers_as_the_exchange_before_it() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer abc"));
    let exchange = exchange(false).replying_with(&headers);
    let mut listener = exchange.listener();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for text in [
        RIGHT,
        ping,
        r#"{"jsonrpc":"2.0","method":"notifications/x"}"#,
    ] {
        assert_eq!(message(&mut listener, 10, text), Progress::More, "{text}");
    }
    let replies = listener.take_replies();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].headers, headers);
}

#[test]
fn what_cannot_be_read_is_malformed() {
    let mut exchange = streamed(exchange(false));
    let _ = exchange.take(&Item::Unreadable { at: 20 });
    assert_eq!(class(&exchange), (Class::Malformed, None));
    let endless = vec![b' '; 1 << 20];
    let mut exchange = streamed(super::exchange(false));
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let text = [&endless, notification.as_bytes()].concat();
    let text = String::from_utf8(text).unwrap();
    let complete = (0..100).find(|_| message(&mut exchange, 20, &text) == Progress::Complete);
    assert_eq!(complete, Some(63));
    assert_eq!(class(&exchange), (Class::Malformed, None));
}
