//! Answers, written as their transformer says.
//!
//! It writes to the socket and waits. Invariant: a wait of a rule ends when the server cuts, and one that set a bound for its
//! answer is reset when that is over.

use std::future::Future;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, sleep, timeout_at};

use super::Ends;
use crate::fault::wire::{Act, Head, Part, Transformer};

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// It serves the next request.
    Done,
    /// It is closed in order.
    Close,
    /// It is reset.
    Reset,
    /// The peer has left it.
    Gone,
}

/// Answers one request.
pub(super) async fn answer(
    transformer: Transformer,
    request: http::Request<Bytes>,
    router: &Router,
    writer: &mut WriteHalf<'_>,
    ends: &Ends,
) -> Last {
    let mut output = Output {
        transformer,
        writer,
        ends,
        deadline: None,
    };
    if !output.transformer.asks() {
        return output.perform().await.unwrap_or(Last::Close);
    }
    let service = TowerToHyperService::new(router.clone());
    let Ok(response) = service.call(request.map(Body::from)).await;
    let (parts, mut body) = response.into_parts();
    let declared = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let length = declared.or_else(|| body.size_hint().exact());
    let mut part = Part::Head(Head::new(parts.status, parts.headers, length));
    loop {
        output.transformer.take(part);
        if let Some(last) = output.perform().await {
            return last;
        }
        part = match bounded(output.deadline, body.frame()).await {
            None => return Last::Reset,
            Some(None) => Part::End,
            Some(Some(Err(_))) => Part::Broken,
            // A frame that is no data is a trailer, and the SDK has none.
            Some(Some(Ok(frame))) => Part::Body(frame.into_data().unwrap_or_default()),
        };
    }
}

struct Output<'a, 'b> {
    transformer: Transformer,
    writer: &'a mut WriteHalf<'b>,
    ends: &'a Ends,
    deadline: Option<Instant>,
}

impl Output<'_, '_> {
    /// Does the acts that there are; None if the transformer wants another part.
    async fn perform(&mut self) -> Option<Last> {
        while let Some(act) = self.transformer.next_act() {
            match act {
                Act::Write(bytes) => {
                    let deadline = self.deadline;
                    match bounded(deadline, self.writer.write_all(&bytes)).await {
                        None => return Some(Last::Reset),
                        Some(Err(_)) => return Some(Last::Gone),
                        Some(Ok(())) => {}
                    }
                }
                // A socket holds nothing back.
                Act::Flush => {}
                Act::Wait(time) => {
                    let cut = self.ends.cut.cancelled();
                    let wait = async {
                        tokio::select! {
                            () = sleep(time) => false,
                            () = cut => true,
                        }
                    };
                    match bounded(self.deadline, wait).await {
                        None => return Some(Last::Reset),
                        Some(true) => return Some(Last::Close),
                        Some(false) => {}
                    }
                }
                Act::Within(time) => self.deadline = Some(Instant::now() + time),
                Act::Close => return Some(Last::Close),
                Act::Reset => return Some(Last::Reset),
                Act::Done => return Some(Last::Done),
            }
        }
        None
    }
}

/// What the future gives, unless the deadline comes first.
async fn bounded<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
