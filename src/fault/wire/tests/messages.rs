//! Actions on messages: missing, doubled, foreign, broken, hostile.

use serde_json::Value;

use super::*;

/// The JSON of each event that has data.
fn datas(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| !data.is_empty())
        .collect()
}

fn value(seen: &Seen) -> Value {
    serde_json::from_slice(&seen.body()).unwrap()
}

/// The length that the head declares is that of the body.
fn assert_whole(seen: &Seen) {
    let field = format!("content-length: {}", seen.raw.len());
    assert!(seen.has(&field), "{} {}", seen.head, seen.raw.len());
    assert_eq!(seen.acts, [Act::Done]);
}

#[test]
fn no_answer_leaves_out_the_response_alone() {
    let seen = under("no-answer", json(ANSWER));
    assert_whole(&seen);
    assert!(seen.raw.is_empty());
    let seen = under("no-answer", events(&[PRIMING, PROGRESS, &answer_event()]));
    assert_eq!(seen.text(), [PRIMING, PROGRESS].concat());
    assert!(seen.has_end());
}

#[test]
fn two_answers_are_two_events_or_an_array() {
    let seen = under("two-answers", events(&[PROGRESS, &answer_event()]));
    assert_eq!(datas(&seen.text())[1..], [ANSWER, ANSWER]);
    let seen = under("two-answers", json(ANSWER));
    assert_whole(&seen);
    let answers = value(&seen);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["id"], 1);
}

#[test]
fn dropped_notifications_leave_the_response() {
    let seen = under(
        "drop-notifications",
        events(&[PROGRESS, PROGRESS, &answer_event()]),
    );
    assert_eq!(datas(&seen.text()), [ANSWER]);
    assert!(seen.has_end());
}

#[test]
fn a_message_that_is_untouched_keeps_its_bytes_wherever_it_was_cut() {
    let stream = [PRIMING, ": ping\r\n\r\n", PROGRESS, PROGRESS, "data: half"].concat();
    for at in 0..stream.len() {
        let (first, second) = stream.split_at(at);
        assert_eq!(
            under("two-answers", events(&[first, second])).text(),
            stream
        );
    }
}

#[test]
fn a_wrong_id_is_the_only_difference() {
    for (how, id) in [
        ("other", Value::from(1_000_002)),
        ("type", Value::from("1")),
        ("null", Value::Null),
    ] {
        let seen = under(&format!("wrong-id={how}"), json(ANSWER));
        assert_whole(&seen);
        let mut expected: Value = serde_json::from_str(ANSWER).unwrap();
        expected["id"] = id;
        assert_eq!(value(&seen), expected);
    }
    let seen = under("wrong-id=missing", events(&[&answer_event()]));
    let answer: Value = serde_json::from_str(datas(&seen.text())[0]).unwrap();
    assert!(answer.get("id").is_none() && answer["result"].is_object());
    assert!(seen.text().starts_with("id: 1\n"), "the event's id stays");
    let text = ANSWER.replace("\"id\":1", "\"id\":\"a\"");
    assert_eq!(value(&under("wrong-id", json(&text)))["id"], "a-other");
    assert_eq!(value(&under("wrong-id=type", json(&text)))["id"], 0);
}

#[test]
fn invalid_json_is_no_json_in_a_whole_body() {
    for how in ["cut", "utf8"] {
        let seen = under(&format!("invalid-json={how}"), json(ANSWER));
        assert_whole(&seen);
        assert!(serde_json::from_slice::<Value>(&seen.body()).is_err());
        assert_eq!(String::from_utf8(seen.raw).is_ok(), how == "cut");
        let seen = under(
            &format!("invalid-json={how}"),
            events(&[PROGRESS, &answer_event()]),
        );
        assert!(seen.has_end() && seen.body().ends_with(b"\n\n"));
    }
}

/// The results that two sessions get, one after the other, twice.
fn swapped(rule: &str, sessions: [Option<&str>; 2]) -> Vec<Value> {
    let mut rules = rules(&[rule]);
    (0..4_u64)
        .map(|number| {
            let session = sessions[usize::try_from(number).unwrap() % 2];
            let request = call("tools/call", session);
            let body = format!(r#"{{"jsonrpc":"2.0","id":{number},"result":"of {number}"}}"#);
            let seen = run(rules.transformer(&request, Terms::default()), json(&body));
            assert_whole(&seen);
            value(&seen)
        })
        .collect()
}

#[test]
fn swapped_answers_are_those_of_another_session() {
    let answers = swapped("swap-ids", [Some("a"), Some("b")]);
    let results: Vec<&Value> = answers.iter().map(|answer| &answer["result"]).collect();
    assert_eq!(results, ["of 0", "of 0", "of 1", "of 2"]);
    assert!(
        answers
            .iter()
            .zip(0_u64..)
            .all(|(answer, id)| answer["id"] == id)
    );
    let answers = swapped("swap-ids=foreign", [Some("a"), Some("b")]);
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [0, 0, 1, 2]);
}

#[test]
fn a_session_alone_keeps_its_answers_and_without_sessions_any_other_will_do() {
    let own = swapped("swap-ids", [Some("a"), Some("a")]);
    assert!(
        own.iter()
            .zip(0_u64..)
            .all(|(answer, id)| answer["result"] == format!("of {id}"))
    );
    let modern = swapped("swap-ids", [None, None]);
    let results: Vec<&Value> = modern.iter().map(|answer| &answer["result"]).collect();
    assert_eq!(results, ["of 0", "of 0", "of 1", "of 2"]);
}

#[test]
fn answers_that_are_not_hit_are_kept_for_those_that_are() {
    let answers = swapped("swap-ids,nth=4", [Some("a"), Some("b")]);
    let results: Vec<&Value> = answers.iter().map(|answer| &answer["result"]).collect();
    assert_eq!(results, ["of 0", "of 1", "of 2", "of 2"]);
}

#[test]
fn deep_json_is_as_deep_as_asked() {
    let seen = under("deep-json=5", json(ANSWER));
    assert_whole(&seen);
    assert_eq!(
        seen.text(),
        r#"{"id":1,"jsonrpc":"2.0","result":{"content":[],"structuredContent":[[[[[]]]]]}}"#
    );
    let seen = under("deep-json", events(&[&answer_event()]));
    let deepest = "[".repeat(100_000);
    assert!(seen.text().contains(&deepest));
    assert!(serde_json::from_str::<Value>(datas(&seen.text())[0]).is_err());
}

#[test]
fn escapes_stand_in_every_string_and_the_answer_stays_one() {
    let seen = under("escapes", json(ANSWER));
    assert_whole(&seen);
    let answer = value(&seen);
    assert_eq!(
        (&answer["id"], &answer["jsonrpc"]),
        (&Value::from(1), &Value::from("2.0"))
    );
    let content = &answer["result"]["content"][0];
    assert_eq!(content["type"], "text");
    let text = content["text"].as_str().unwrap();
    assert!(text.ends_with("hello"));
    for character in ['\u{1b}', '\u{7}', '\0', '\u{9b}', '\u{202e}', '<', '|'] {
        assert!(text.contains(character), "{character:?}");
    }
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m"}}"#;
    let answer = value(&under("escapes", json(error)));
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains('\u{1b}')
    );
}

#[test]
fn what_holds_no_message_passes() {
    for rule in [
        "no-answer",
        "wrong-id",
        "two-answers",
        "escapes",
        "invalid-json",
    ] {
        assert_eq!(under(rule, json("[1,2]")).text(), "[1,2]", "{rule}");
        let parts = vec![
            head("text/plain", Some(3)),
            Part::Body(Bytes::from_static(b"abc")),
            Part::End,
        ];
        assert_eq!(under(rule, parts).text(), "abc", "{rule}");
    }
}
