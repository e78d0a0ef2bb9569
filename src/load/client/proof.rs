//! How a client proves who it is, where a token must be fetched for that (OAuth 2.1, client credentials).
//!
//! Impure, as its parent. A token goes with every request; one that is about to expire is replaced before. A refusal (401, or 403 for a
//! missing scope) leads to a new token and the request again, as far as `mcp::auth` sees a point in it. Invariant: what was
//! fetched for that is a Call each, and so is each refused request.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{Client, Shared};
use crate::clock;
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt};
use crate::mcp::auth::{Authority, Fetch};
use crate::mcp::exchange::Facts;
use crate::model::Class;

/// How often one request is sent again with another token.
pub(super) const MAX_TOKENS: u32 = 2;

/// The authority of a client of this workload, if its workload has credentials.
pub(super) fn authority(shared: &Shared, workload: u32, client: u32) -> Option<Authority> {
    let credentials = shared.credentials.get(workload as usize)?.as_ref()?;
    let ways = shared.ways.get(workload as usize)?;
    let url = ways.endpoint(client)?.url();
    let directory = shared.directory.as_ref()?;
    Authority::sharing(directory, Rc::clone(credentials), &url).ok()
}

/// Waits no longer than `patience`, and not when everything is given up.
async fn bounded<T>(
    shared: &Shared,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = shared.give_up.cancelled() => None,
        done = tokio::time::timeout(patience, work) => done.ok(),
    }
}

impl Client {
    /// Puts the token into the headers of a request; false if there must be one and none can be had.
    pub(super) async fn prove(&mut self, place: Place, headers: &mut HeaderMap) -> bool {
        let patience = self.upkeep_timeout();
        let Some(authority) = &mut self.authority else {
            return true;
        };
        let token = bounded(&self.shared, patience, authority.token(clock::now())).await;
        let fetches = authority.take_fetches();
        self.note_fetches(place, fetches);
        match token {
            Some(Ok(Some(bearer))) => {
                self.token = Some(bearer.value.clone());
                headers.insert(AUTHORIZATION, bearer.value);
                true
            }
            // Before the first challenge a request goes without.
            Some(Ok(None)) => true,
            Some(Err(error)) => {
                self.tell(&error);
                false
            }
            None => false,
        }
    }

    /// Takes the answer to a request: whether it was refused, and is worth repeating with the token that there is now.
    pub(super) async fn is_challenged(
        &mut self,
        place: Place,
        call: &Attempt,
        facts: &Facts,
    ) -> bool {
        let patience = self.upkeep_timeout();
        let Some(authority) = &mut self.authority else {
            return false;
        };
        let status = facts.status.filter(|status| matches!(status, 401 | 403));
        let Some(status) = status else {
            if call.class == Class::None {
                authority.accepted();
            }
            return false;
        };
        let challenge = facts.challenge.as_deref();
        let answer = authority.challenged(status, challenge, clock::now());
        let answer = bounded(&self.shared, patience, answer).await;
        let fetches = authority.take_fetches();
        self.note_fetches(place, fetches);
        match answer {
            Some(Ok(again)) => again,
            Some(Err(error)) => {
                self.tell(&error);
                false
            }
            None => false,
        }
    }

    fn tell(&self, error: &dyn std::error::Error) {
        if let Some(tap) = &self.shared.tap {
            tap.unsent(&error.to_string());
        }
    }

    /// Writes down what was fetched, as Calls that keep the client going.
    fn note_fetches(&self, place: Place, fetches: Vec<Fetch>) {
        for fetch in fetches {
            let done = fetch.end.unwrap_or_else(clock::now);
            let code = fetch.status.map(i64::from);
            let call = Attempt {
                asked: Asked::Token,
                sent: Some(fetch.start),
                first_byte: fetch.status.and(fetch.end),
                class: match fetch.status {
                    Some(200..=299) => Class::None,
                    Some(_) => Class::Http,
                    None => Class::Connect,
                },
                code: code.filter(|code| !(200..300).contains(code)),
                ..place.fetched(fetch.start).blank(self.who(), done)
            };
            self.shared.recorder.borrow_mut().attempt(call);
        }
    }
}
