//! Answers as plain JSON: an event stream that holds nothing but the answer becomes a body of known length.
//!
//! The SDK does this only where no session is involved. It waits for the stream's first message. Invariant: nothing is
//! lost: if something comes before the answer, the stream goes out as it came.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What tells an answer from a notification or a request.
#[derive(Deserialize)]
struct Message {
    method: Option<IgnoredAny>,
}

/// Turns an event stream whose first message is the answer into JSON; any other response passes unchanged.
pub(super) async fn plain(response: Response) -> Response {
    let streams = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream");
    if !streams || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let mut rest = body.into_data_stream();
    let mut start: Vec<u8> = Vec::new();
    while let Some(Ok(chunk)) = rest.next().await {
        start.extend_from_slice(&chunk);
        let Some(data) = first_data(&start) else {
            continue;
        };
        let is_answer =
            serde_json::from_slice::<Message>(data).is_ok_and(|message| message.method.is_none());
        if is_answer {
            let data = Bytes::copy_from_slice(data);
            parts.headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            return Response::from_parts(parts, Body::from(data));
        }
        break;
    }
    let start = stream::once(async { Ok(Bytes::from(start)) });
    Response::from_parts(parts, Body::from_stream(start.chain(rest)))
}

/// The data of the first complete event that has any. The SDK writes each message on one line.
fn first_data(text: &[u8]) -> Option<&[u8]> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let data = line
            .strip_prefix(b"data:")?
            .strip_suffix(b"\n")?
            .trim_ascii();
        (!data.is_empty()).then_some(data)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_behind_priming_and_only_when_complete() {
        for (text, expected) in [
            ("", None),
            ("data:\nid: 1\nretry: 5\n\n", None),
            ("data:\nid: 1\n\ndata: {\"a\"", None),
            ("data:\nid: 1\n\ndata: {\"a\":1}\n", Some("{\"a\":1}")),
            (": comment\n\nid: 1\ndata:{}\n\n", Some("{}")),
        ] {
            assert_eq!(
                first_data(text.as_bytes()),
                expected.map(str::as_bytes),
                "{text:?}"
            );
        }
    }
}
