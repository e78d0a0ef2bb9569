//! How a client finds out what a server speaks (MCP 2026-07-28, "Versioning": dual-era clients).
//!
//! Impure, as its parent. It asks in the modern way first. An answer, or a refusal that only a modern server gives, settles the
//! modern era; any other refusal means legacy; a server that refuses `initialize` too may still speak HTTP+SSE. What is not
//! reachable settles nothing.

use super::Client;
use std::time::Duration;

use super::attempts::UNSUPPORTED_VERSION;
use super::sending::Ready;
use crate::load::place::Place;
use crate::load::recording::{Asked, Attempt};
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
    /// Settles what the client speaks; false if the server could not be asked.
    pub(super) async fn settle_version(&mut self) -> bool {
        if self.is_settled {
            return true;
        }
        if self.transport == Transport::Sse {
            // The transport of 2024-11-05 carries no modern requests.
            self.protocol = ProtocolVersion::V2025_11_25;
            self.is_settled = true;
            return true;
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
                true
            }
            Found::Nothing => false,
        }
    }

    /// After `initialize` was refused: whether the server may speak HTTP+SSE, which the client then tries.
    pub(super) fn falls_back_to_sse(&mut self, call: &Attempt, facts: &Facts) -> bool {
        let refused = call.class == Class::Http && matches!(call.code, Some(400 | 404 | 405));
        let may = self.traits.is_auto() && self.transport == Transport::StreamableHttp;
        if !(may
            && refused
            && facts
                .error
                .as_ref()
                .is_none_or(|error| error.supported.is_empty()))
        {
            return false;
        }
        let ways = self.shared.ways.get(self.workload as usize);
        let headers = self.headers();
        let Some(link) = ways.and_then(|ways| ways.open(self.number, Transport::Sse, headers))
        else {
            return false;
        };
        self.link = link;
        self.transport = Transport::Sse;
        true
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
            Class::Connect | Class::Transport | Class::Truncated | Class::Timeout | Class::Unsent,
            _,
        )
        | (Class::Http, Some(401 | 403 | 429 | 500..=599)) => Found::Nothing,
        _ => LEGACY,
    }
}
