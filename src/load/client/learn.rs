//! How a worker learns the tools of a server, for what their definitions ask of a caller.
//!
//! Impure, as its parent. One client of a workload asks once, before the run; whoever lists the tools later adds what it sees.

use serde_json::Value;

use super::Client;
use super::sending::Ready;
use crate::load::place::Place;
use crate::load::recording::Asked;
use crate::mcp::exchange::{Awaited, Facts};
use crate::mcp::header;
use crate::mcp::message::{self, Params, RequestKind};
use crate::model::Class;
use crate::plan::Method;

/// The most pages of tools that are read.
const MAX_PAGES: u32 = 100;

const TOOLS: RequestKind = RequestKind::Method(Method::ToolsList);

impl Client {
    /// Lists the tools of the server, page by page, and remembers what must be known of them. False if it did not answer; one
    /// that says it has no such list has.
    pub(crate) async fn learn(&mut self) -> bool {
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let id = self.next_id();
            let mut headers = self.headers();
            if !self.is_legacy() {
                headers.insert(header::METHOD, http::HeaderValue::from_static(TOOLS.name()));
            }
            let params = Params {
                meta: self.meta(),
                cursor: cursor.as_deref(),
                ..Params::default()
            };
            let mut ready = Ready::post(
                Asked::Learn,
                headers,
                message::request(id, TOOLS.name(), &params),
                Awaited::Response {
                    id,
                    kind: TOOLS,
                    expected: Vec::new(),
                },
                self.upkeep_timeout(),
            );
            ready.keeps_result = true;
            let answered = self.send(Place::upkeep(), ready).await;
            let is_right = answered.call.class == Class::None;
            let has_none = answered.call.class == Class::JsonRpc;
            self.record(answered.call).await;
            self.take_in(TOOLS, &answered.facts);
            cursor = answered.facts.next_cursor;
            if !is_right || cursor.is_none() {
                return is_right || has_none;
            }
        }
        true
    }

    /// Whether the answers to this kind of request are learnt from.
    pub(super) fn learns_from(&self, kind: RequestKind) -> bool {
        kind == TOOLS && self.shared.tap.is_some()
    }

    /// Learns from an answer.
    pub(super) fn take_in(&self, kind: RequestKind, facts: &Facts) {
        let result = facts.result.as_deref().filter(|_| kind == TOOLS);
        let Some(result) = result.and_then(|raw| serde_json::from_str::<Value>(raw).ok()) else {
            return;
        };
        let mut catalogues = self.shared.catalogues.borrow_mut();
        if let Some(catalogue) = catalogues.get_mut(self.workload as usize) {
            catalogue.learn(&result);
        }
    }
}
