//! Our client at its plainest: one link, one exchange for each request, nothing of load around it.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use mcpload::mcp::capabilities::Capabilities;
use mcpload::mcp::endpoint::Endpoint;
use mcpload::mcp::exchange::{Awaited, Exchange, Facts};
use mcpload::mcp::http::HttpLink;
use mcpload::mcp::message::{self, Params, RequestKind};
use mcpload::mcp::{Link, Outgoing, Verb, header};
use mcpload::model::protocol::Era;
use mcpload::model::{Class, ProtocolVersion};
use mcpload::plan::Method;
use serde_json::Value;

/// A client of one version.
pub(crate) struct Ours {
    link: HttpLink,
    version: ProtocolVersion,
    session: Option<HeaderValue>,
    requests: u64,
}

impl Ours {
    /// A client that has its session, if its version has any.
    pub(crate) async fn start(url: &str, version: ProtocolVersion) -> Self {
        let endpoint = Rc::new(Endpoint::parse(url).unwrap());
        let mut client = Self {
            link: HttpLink::new(endpoint, Rc::default(), None),
            version,
            session: None,
            requests: 0,
        };
        if version.era() == Era::Legacy {
            let members = message::initialize_params(version, Capabilities::default());
            let facts = client.ask(RequestKind::Initialize, None, &members).await;
            assert_eq!(facts.version, Some(version));
            client.session = facts.session;
            let mut exchange = Exchange::new(Awaited::Status, Era::Legacy, true, None);
            let body = message::INITIALIZED.to_owned();
            client.send(client.headers(), body, &mut exchange).await;
        }
        client
    }

    /// The result of a method; `name` is that of its tool, prompt or resource, `members` are its parameters.
    pub(crate) async fn result(
        &mut self,
        method: Method,
        name: Option<&str>,
        members: &str,
    ) -> Value {
        let facts = self.ask(RequestKind::Method(method), name, members).await;
        serde_json::from_str(&facts.result.unwrap()).unwrap()
    }

    async fn ask(&mut self, kind: RequestKind, name: Option<&str>, members: &str) -> Facts {
        self.requests += 1;
        let id = self.requests;
        let mut headers = self.headers();
        let mut meta = String::new();
        if self.version.era() == Era::Modern {
            meta = message::modern_meta(self.version, Capabilities::default());
            headers.insert(header::METHOD, HeaderValue::from_static(kind.name()));
            if let Some(name) = name {
                headers.insert(header::NAME, header::mirrored(name));
            }
        }
        let params = Params {
            meta: &meta,
            members,
            ..Params::default()
        };
        let awaited = Awaited::Response {
            id,
            kind,
            expected: Vec::new(),
        };
        let mut exchange = Exchange::new(awaited, self.version.era(), self.session.is_some(), None)
            .keeping_result(true);
        let body = message::request(id, kind.name(), &params);
        self.send(headers, body, &mut exchange).await;
        exchange.into_facts()
    }

    async fn send(&mut self, headers: HeaderMap, body: String, exchange: &mut Exchange) {
        let outgoing = Outgoing {
            verb: Verb::Post,
            headers,
            body: Bytes::from(body),
        };
        self.link.exchange(outgoing, exchange).await;
        self.link.settle().await;
        assert_eq!(exchange.verdict().unwrap().class, Class::None);
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(http::header::ACCEPT, accept);
        let kind = HeaderValue::from_static("application/json");
        headers.insert(http::header::CONTENT_TYPE, kind);
        if let Some(session) = &self.session {
            headers.insert(header::SESSION_ID, session.clone());
        }
        if self.session.is_some() || self.version.era() == Era::Modern {
            let version = HeaderValue::from_static(self.version.name());
            headers.insert(header::PROTOCOL_VERSION, version);
        }
        headers
    }
}
