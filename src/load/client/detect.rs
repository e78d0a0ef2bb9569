//! How a client finds out what a server speaks (MCP 2026-07-28, "Versioning": dual-era clients).
//!
//! Impure, as its parent. It asks in the modern way first. An answer, or a refusal that only a modern server gives, settles the
//! modern era; any other refusal means legacy; a server that refuses `initialize` too may still speak HTTP+SSE. What is not
//! reachable settles nothing.

use super::Client;
use std::time::Duration;

use super::attempts::UNSUPPORTED_VERSION;
use super::sending::Ready;
use super::session::{cause_of, told};
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt};
use crate::mcp::Link;
use crate::mcp::exchange::{Awaited, Facts};
use crate::mcp::header;
use crate::mcp::message::{self, Params, RequestKind};
use crate::model::{Class, ProtocolVersion};
use crate::plan::{Method, Transport};

/// How long a program may say nothing to the first question before it counts as legacy.
const SILENCE: Duration = Duration::from_secs(3);

/// What an answer to the first question says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The server speaks this version, as far as it says.
    Speaks(ProtocolVersion),
    /// Nothing.
    Nothing,
}

impl Client {
    /// Settles what the client speaks.
    ///
    /// # Errors
    /// If the server could not be asked; the text says why.
    pub(super) async fn settle_version(&mut self) -> Result<(), String> {
        if self.is_settled {
            return Ok(());
        }
        if self.transport == Transport::Sse {
            // The transport of 2024-11-05 carries no modern requests.
            self.protocol = ProtocolVersion::V2025_11_25;
            self.is_settled = true;
            return Ok(());
        }
        self.protocol = ProtocolVersion::V2026_07_28;
        let id = self.next_id();
        let kind = RequestKind::Method(Method::Discover);
        let mut headers = self.headers();
        headers.insert(header::METHOD, http::HeaderValue::from_static(kind.name()));
        let params = Params {
            meta: self.meta(),
            ..Params::default()
        };
        let ready = Ready::post(
            Asked::Discover,
            headers,
            message::request(id, kind.name(), &params),
            Awaited::Response {
                id,
                kind,
                expected: Vec::new(),
            },
            match self.transport {
                // There silence is an answer, and is not waited for at length.
                Transport::Stdio => self.upkeep_timeout().min(SILENCE),
                _ => self.upkeep_timeout(),
            },
        );
        let answered = self.send(Place::upkeep(), ready).await;
        let cause = told(cause_of(&answered.call), &answered.facts);
        let mut found = found(&answered.call, &answered.facts);
        if self.transport == Transport::Stdio && answered.call.class == Class::Timeout {
            // A legacy server may say nothing to what it does not know.
            found = Found::Speaks(ProtocolVersion::V2025_11_25);
        }
        self.record(answered.call).await;
        match found {
            Found::Speaks(version) => {
                self.protocol = version;
                self.is_settled = true;
                Ok(())
            }
            Found::Nothing => Err(format!("the server did not say what it speaks: {cause}")),
        }
    }

    /// After the client's first `initialize` was refused: the link so far, if the server may speak HTTP+SSE, which is to be tried.
    pub(super) fn fall_back_to_sse(
        &mut self,
        call: &Attempt,
        facts: &Facts,
    ) -> Option<Box<dyn Link>> {
        let refused = call.class == Class::Http && matches!(call.code, Some(400 | 404 | 405));
        let may = self.traits.is_auto()
            && self.transport == Transport::StreamableHttp
            && self.sessions == 0;
        let is_plain = facts
            .error
            .as_ref()
            .is_none_or(|error| error.supported.is_empty());
        if !(may && refused && is_plain) {
            return None;
        }
        let ways = self.shared.ways.get(self.workload as usize)?;
        let link = ways.open(self.number, Transport::Sse, self.headers())?;
        self.transport = Transport::Sse;
        Some(std::mem::replace(&mut self.link, link))
    }

    /// After that was in vain: everything is as it was, and nothing is settled.
    pub(super) fn forget_sse(&mut self, link: Box<dyn Link>) {
        self.link = link;
        self.transport = Transport::StreamableHttp;
        self.is_settled = false;
    }
}

fn found(call: &Attempt, facts: &Facts) -> Found {
    /// The newest version of the legacy era.
    const LEGACY: Found = Found::Speaks(ProtocolVersion::V2025_11_25);
    const MODERN: Found = Found::Speaks(ProtocolVersion::V2026_07_28);
    match (call.class, call.code) {
        // A header mismatch, a missing capability: only a modern server says so.
        (Class::None, _) | (Class::JsonRpc, Some(-32_021 | -32_020)) => MODERN,
        (Class::JsonRpc, Some(UNSUPPORTED_VERSION)) => {
            let offered = facts.error.as_ref().map(|error| error.supported.iter());
            offered
                .and_then(|offered| offered.max().copied())
                .map_or(LEGACY, Found::Speaks)
        }
        (
            Class::Connect
            | Class::Local
            | Class::Transport
            | Class::Truncated
            | Class::Timeout
            | Class::Unsent,
            _,
        )
        | (Class::Http, Some(401 | 403 | 429 | 500..=599)) => Found::Nothing,
        // Whoever refuses so, it is for now, whatever the body says.
        _ if matches!(facts.status, Some(401 | 403 | 429 | 500..=599)) => Found::Nothing,
        _ => LEGACY,
    }
}
