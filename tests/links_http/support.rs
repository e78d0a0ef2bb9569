//! Links, requests, and what came of them.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use mcpload::mcp::endpoint::Endpoint;
use mcpload::mcp::exchange::{Awaited, Exchange, Facts};
use mcpload::mcp::http::{HttpLink, HttpOptions};
use mcpload::mcp::{Link, Outgoing, Verb};
use mcpload::model::Class;
use mcpload::model::protocol::Era;
use mcpload::plan::HttpVersion;
use tokio::task::LocalSet;

/// Far beyond what any test takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs a test with tasks of its thread.
pub(crate) async fn local<T>(test: impl Future<Output = T>) -> T {
    let tasks = LocalSet::new();
    tokio::time::timeout(LIMIT, tasks.run_until(test))
        .await
        .expect("the test hangs")
}

/// Waits until something holds; the limit of the test bounds it.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets every task that can go on do so.
pub(crate) async fn let_tasks_run() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn endpoint(address: SocketAddr, path: &str) -> Rc<Endpoint> {
    at(&format!("http://{address}{path}"))
}

pub(crate) fn at(url: &str) -> Rc<Endpoint> {
    Rc::new(Endpoint::parse(url).unwrap())
}

pub(crate) fn link(address: SocketAddr, path: &str, options: &Rc<HttpOptions>) -> HttpLink {
    HttpLink::new(endpoint(address, path), Rc::clone(options), None)
}

pub(crate) fn link_from(address: SocketAddr, source: IpAddr) -> HttpLink {
    HttpLink::new(endpoint(address, "/"), Rc::default(), Some(source))
}

/// The default options, of this version.
pub(crate) fn speaking(version: HttpVersion) -> HttpOptions {
    HttpOptions {
        version,
        ..HttpOptions::default()
    }
}

pub(crate) fn post() -> Outgoing {
    Outgoing {
        verb: Verb::Post,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
    }
}

pub(crate) fn exchange() -> Exchange {
    Exchange::new(Awaited::Status, Era::Legacy, false, None)
}

/// What a request came to.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) class: Class,
    pub(crate) code: Option<i64>,
    pub(crate) facts: Facts,
}

impl Came {
    pub(crate) fn failure(&self) -> &str {
        self.facts.failure.as_deref().unwrap_or_default()
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn ask(link: &mut dyn Link) -> Came {
    let mut exchange = exchange();
    link.exchange(post(), &mut exchange).await;
    link.settle().await;
    let verdict = exchange.verdict().expect("the link left it open");
    Came {
        class: verdict.class,
        code: verdict.code,
        facts: exchange.into_facts(),
    }
}

/// Sends a request and holds that it is answered well.
pub(crate) async fn ask_well(link: &mut dyn Link) -> Facts {
    let came = ask(link).await;
    assert_eq!((came.class, came.failure()), (Class::None, ""));
    came.facts
}
