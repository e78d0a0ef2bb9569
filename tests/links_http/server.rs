//! A server that counts connections and requests, and holds answers back until it is told.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use mcpload::plan::HttpVersion;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

/// What a server saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) accepted: Cell<usize>,
    pub(crate) open: Cell<usize>,
    pub(crate) most_open: Cell<usize>,
    pub(crate) in_flight: Cell<usize>,
    pub(crate) most_in_flight: Cell<usize>,
    pub(crate) requests: Cell<usize>,
    pub(crate) cookies: RefCell<Vec<String>>,
    pub(crate) peers: RefCell<Vec<IpAddr>>,
    /// Each answer at `/held` takes one permit away.
    pub(crate) gate: Semaphore,
}

/// A counter that goes down again when this is dropped.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn up(now: &'a Cell<usize>, most: &Cell<usize>) -> Self {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        Self(now)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A server on loopback, for as long as the tasks of the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Rc<Seen>,
}

impl Server {
    pub(crate) async fn start(version: HttpVersion) -> Self {
        Self::start_with(version, None).await
    }

    /// With TLS, if there is a configuration.
    pub(crate) async fn start_with(version: HttpVersion, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Rc::new(Seen {
            accepted: Cell::default(),
            open: Cell::default(),
            most_open: Cell::default(),
            in_flight: Cell::default(),
            most_in_flight: Cell::default(),
            requests: Cell::default(),
            cookies: RefCell::default(),
            peers: RefCell::default(),
            gate: Semaphore::new(0),
        });
        let watched = Rc::clone(&seen);
        tokio::task::spawn_local(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                watched.accepted.set(watched.accepted.get() + 1);
                watched.peers.borrow_mut().push(peer.ip());
                let (seen, tls) = (Rc::clone(&watched), tls.clone());
                tokio::task::spawn_local(async move {
                    let _open = Counted::up(&seen.open, &seen.most_open);
                    match tls {
                        None => serve(version, stream, &seen).await,
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                serve(version, stream, &seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }
}

async fn serve<S>(version: HttpVersion, stream: S, seen: &Rc<Seen>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = hyper::service::service_fn(|request| answer(request, Rc::clone(seen)));
    let stream = TokioIo::new(stream);
    let _ = match version {
        HttpVersion::Http1 => {
            http1::Builder::new()
                .serve_connection(stream, service)
                .await
        }
        HttpVersion::Http2 => {
            http2::Builder::new(Local)
                .serve_connection(stream, service)
                .await
        }
    };
}

/// Serves a connection of HTTP/2 until it is told to end it in good order.
pub(crate) async fn serve_until(stream: TcpStream, ended: oneshot::Receiver<()>) {
    let service = hyper::service::service_fn(async |_| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let serving = http2::Builder::new(Local).serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        _ = &mut serving => {}
        _ = ended => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Rc<Seen>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let _in_flight = Counted::up(&seen.in_flight, &seen.most_in_flight);
    seen.requests.set(seen.requests.get() + 1);
    if let Some(cookie) = request.headers().get(COOKIE) {
        let text = cookie.to_str().unwrap().to_owned();
        seen.cookies.borrow_mut().push(text);
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    match request.uri().path() {
        "/held" => seen.gate.acquire().await.unwrap().forget(),
        "/moved" => {
            *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            response
                .headers_mut()
                .insert(LOCATION, "/".parse().unwrap());
        }
        "/cookie" => {
            response
                .headers_mut()
                .insert(SET_COOKIE, "route=a; Path=/".parse().unwrap());
        }
        "/flood" => {
            for number in 0..200 {
                response
                    .headers_mut()
                    .append("x-flood", number.to_string().parse().unwrap());
            }
        }
        _ => {}
    }
    Ok(response)
}

/// Runs the tasks of HTTP/2 on the test's thread.
#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}
