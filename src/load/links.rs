//! [`Ways`]: how the clients of a workload get to the fleet; it opens a link for each of them.
//!
//! Impure only in that links connect later. Client c goes to endpoint c mod their number, from source address c mod theirs: both
//! are the same on any number of workers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use http::HeaderMap;

use crate::mcp::Link;
use crate::mcp::endpoint::Endpoint;
use crate::mcp::http::{HttpLink, HttpOptions, Pool};
use crate::mcp::http_sse::SseLink;
use crate::mcp::stdio::StdioLink;
use crate::mcp::tls::{TlsError, client_config};
use crate::mcp::websocket::WebSocketLink;
use crate::plan::{HttpVersion, Sharing, SourceRange, TlsPlan, Transport, WorkloadPlan};

/// How the clients of a workload get to the fleet.
pub(crate) struct Ways {
    endpoints: Vec<Rc<Endpoint>>,
    transport: Transport,
    options: Rc<HttpOptions>,
    /// The program of each client, where there is one in place of an endpoint.
    command: Vec<String>,
    sources: Vec<SourceRange>,
    /// Where clients connect from if the workload names no addresses.
    source: Option<IpAddr>,
}

impl Ways {
    /// Of this workload, to these endpoints.
    ///
    /// # Errors
    /// If whom to trust cannot be read.
    pub(crate) fn new(
        plan: &WorkloadPlan,
        tls: &TlsPlan,
        endpoints: &[Rc<Endpoint>],
        source: Option<IpAddr>,
    ) -> Result<Self, TlsError> {
        let connections = &plan.connections;
        let is_secure = endpoints
            .iter()
            .any(|endpoint| endpoint.scheme().is_secure());
        // HTTP+SSE and WebSocket are HTTP/1.1: to offer another version would break them.
        let version = match plan.transport {
            Transport::StreamableHttp => connections.http,
            Transport::Sse | Transport::Websocket | Transport::Stdio => HttpVersion::Http1,
        };
        let tls = is_secure.then(|| client_config(tls, version)).transpose()?;
        let options = HttpOptions {
            version,
            tls,
            max_age: connections.max_age,
            pool: match connections.sharing {
                Sharing::PerClient => None,
                Sharing::Pool(size) => Some(Rc::new(Pool::new(size))),
            },
            cookies: plan.cookies,
            can_vanish: plan.vanish.is_some(),
        };
        Ok(Self {
            endpoints: endpoints.to_vec(),
            transport: plan.transport,
            options: Rc::new(options),
            command: Vec::new(),
            sources: connections.sources.clone(),
            source,
        })
    }

    /// To a child process of this program for each client.
    pub(crate) fn with_child(mut self, command: Vec<String>) -> Self {
        self.command = command;
        self
    }

    /// Where client `client` goes.
    pub(crate) fn endpoint(&self, client: u32) -> Option<&Rc<Endpoint>> {
        let place = (client as usize).checked_rem(self.endpoints.len())?;
        self.endpoints.get(place)
    }

    /// How messages travel.
    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// A link for client `client` over `transport`; `headers` go with the upgrade of a WebSocket.
    pub(crate) fn open(
        &self,
        client: u32,
        transport: Transport,
        headers: HeaderMap,
    ) -> Option<Box<dyn Link>> {
        if transport == Transport::Stdio {
            let command = self.command.clone();
            return (!command.is_empty())
                .then(|| -> Box<dyn Link> { Box::new(StdioLink::new(command, BTreeMap::new())) });
        }
        let endpoint = Rc::clone(self.endpoint(client)?);
        let source = self.source_of(client);
        match transport {
            Transport::StreamableHttp => {
                let options = Rc::clone(&self.options);
                Some(Box::new(HttpLink::new(endpoint, options, source)))
            }
            Transport::Sse => {
                let tls = self.options.tls.clone();
                Some(Box::new(SseLink::new(endpoint, source).secured_by(tls)))
            }
            Transport::Websocket => {
                let tls = self.options.tls.clone();
                let link = WebSocketLink::new(endpoint, headers, source);
                Some(Box::new(link.secured_by(tls)))
            }
            Transport::Stdio => None,
        }
    }

    fn source_of(&self, client: u32) -> Option<IpAddr> {
        let all: u64 = self
            .sources
            .iter()
            .map(|range| u64::from(range.count))
            .sum();
        let Some(mut number) = u64::from(client).checked_rem(all) else {
            return self.source;
        };
        for range in &self.sources {
            if number < u64::from(range.count) {
                return Some(range.address(u32::try_from(number).unwrap_or(0)));
            }
            number -= u64::from(range.count);
        }
        self.source
    }
}
