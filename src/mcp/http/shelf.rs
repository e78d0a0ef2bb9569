//! [`Shelf`]: connections between exchanges, those of one client or those that the clients of a worker share.
//!
//! Impure: sockets and the clock. Invariants: a shelf of N never has more than N connections in use or waiting; a connection of
//! HTTP/1.1 is lent to one exchange at a time, one of HTTP/2 to any number; a connection that is too old or known to be closed is
//! replaced before the next request and never during one. Next: [`super::HttpLink`] borrows a [`Lease`] for each exchange.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use thiserror::Error;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, OpenError, Origin, Two};
use super::hold::Hold;
use super::one::{One, OneError};
use crate::mcp::exchange::Exchange;
use crate::plan::HttpVersion;

/// The connections that the clients of one workload share on one worker, as behind a gateway: so many to each endpoint.
#[derive(Debug)]
pub struct Pool {
    size: u32,
    shelves: RefCell<Vec<(String, HttpVersion, Rc<Shelf>)>>,
}

impl Pool {
    /// A pool of at most `size` connections to each endpoint; 0 counts as 1.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self {
            size,
            shelves: RefCell::default(),
        }
    }

    /// The shelf of the connections to where this origin goes.
    pub(super) fn shelf(&self, origin: &Origin) -> Rc<Shelf> {
        let endpoint = &origin.endpoint;
        let server = format!(
            "{:?} {} {}",
            endpoint.scheme(),
            endpoint.host(),
            endpoint.port()
        );
        let version = origin.options.version;
        let mut shelves = self.shelves.borrow_mut();
        let known = shelves
            .iter()
            .find(|(other, spoken, _)| *other == server && *spoken == version);
        if let Some((_, _, there)) = known {
            return Rc::clone(there);
        }
        let added = Rc::new(Shelf::shared(version, self.size));
        shelves.push((server, version, Rc::clone(&added)));
        added
    }
}

/// Connections to one endpoint.
#[derive(Debug)]
pub(super) enum Shelf {
    /// Of HTTP/1.1.
    One {
        /// One permit for each connection in use; none are needed where one link alone borrows.
        permits: Option<Arc<Semaphore>>,
        /// Those that wait; the last one returned is lent first.
        idle: RefCell<Vec<Connection<One>>>,
    },
    /// Of HTTP/2.
    Two(Vec<Rc<Place>>),
}

/// A place for a connection of HTTP/2.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// How many exchanges use it.
    in_use: Cell<u32>,
    connection: RefCell<Option<Connection<Two>>>,
    /// Held by the exchange that opens a connection for all that wait for it.
    opening: Mutex<()>,
}

impl Shelf {
    /// A shelf for the one connection of one link.
    pub(super) fn own(version: HttpVersion) -> Self {
        match version {
            HttpVersion::Http1 => Self::One {
                permits: None,
                idle: RefCell::default(),
            },
            HttpVersion::Http2 => Self::shared(version, 1),
        }
    }

    /// A shelf for at most `size` connections of any number of links.
    fn shared(version: HttpVersion, size: u32) -> Self {
        let size = size.max(1);
        match version {
            HttpVersion::Http1 => Self::One {
                permits: Some(Arc::new(Semaphore::new(size as usize))),
                idle: RefCell::default(),
            },
            HttpVersion::Http2 => Self::Two((0..size).map(|_| Rc::default()).collect()),
        }
    }

    /// Lends a connection: one that waits, or a new one, or the first that is returned.
    pub(super) async fn lend(
        self: &Rc<Self>,
        origin: &Origin,
        exchange: &mut Exchange,
    ) -> Result<Lease, OpenError> {
        match &**self {
            Self::One { permits, idle } => {
                // A semaphore that is never closed always has a permit in the end.
                let permit = match permits {
                    Some(permits) => Arc::clone(permits).acquire_owned().await.ok(),
                    None => None,
                };
                let (connection, is_new) = match waiting(idle, origin) {
                    Some(connection) => (connection, false),
                    None => (origin.open_one(exchange).await?, true),
                };
                Ok(Lease {
                    kind: Kind::One {
                        connection,
                        shelf: Rc::clone(self),
                        _permit: permit,
                    },
                    is_new,
                })
            }
            Self::Two(places) => {
                let Some(place) = places.iter().min_by_key(|place| place.in_use.get()) else {
                    return Err(OpenError::NotOffered);
                };
                let using = Using::begin(place);
                let (connection, is_new) = place.connection(origin, exchange).await?;
                Ok(Lease {
                    kind: Kind::Two {
                        body: None,
                        connection,
                        _using: using,
                    },
                    is_new,
                })
            }
        }
    }

    /// Gives up every connection that waits; those in use are closed when they are returned to nobody.
    pub(super) fn clear(&self) {
        match self {
            Self::One { idle, .. } => idle.borrow_mut().clear(),
            Self::Two(places) => {
                for place in places {
                    place.connection.borrow_mut().take();
                }
            }
        }
    }
}

/// A connection that waits and can take a request.
fn waiting(idle: &RefCell<Vec<Connection<One>>>, origin: &Origin) -> Option<Connection<One>> {
    loop {
        let mut connection = idle.borrow_mut().pop()?;
        if connection.is_younger(origin.options.max_age) && connection.sender.can_take() {
            return Some(connection);
        }
    }
}

impl Place {
    /// The connection of this place, and whether it was opened for this exchange.
    async fn connection(
        &self,
        origin: &Origin,
        exchange: &mut Exchange,
    ) -> Result<(Connection<Two>, bool), OpenError> {
        let _alone = self.opening.lock().await;
        let known = self.connection.borrow().clone();
        if let Some(connection) = known
            && connection.is_younger(origin.options.max_age)
            && !connection.sender.is_closed()
        {
            return Ok((connection, false));
        }
        // Exchanges that are still on the old one keep it alive to their end.
        self.connection.borrow_mut().take();
        let connection = origin.open_two(exchange).await?;
        *self.connection.borrow_mut() = Some(connection.clone());
        Ok((connection, true))
    }
}

/// One exchange on a place.
#[derive(Debug)]
struct Using(Rc<Place>);

impl Using {
    fn begin(place: &Rc<Place>) -> Self {
        place.in_use.set(place.in_use.get() + 1);
        Self(Rc::clone(place))
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        self.0.in_use.set(self.0.in_use.get().saturating_sub(1));
    }
}

/// A connection that is lent to an exchange. Dropped without being given back, one of HTTP/1.1 is closed.
#[derive(Debug)]
pub(super) struct Lease {
    kind: Kind,
    /// Whether the connection was opened for this exchange.
    pub(super) is_new: bool,
}

#[derive(Debug)]
enum Kind {
    One {
        connection: Connection<One>,
        shelf: Rc<Shelf>,
        // After the connection, so that it is closed before another one is opened.
        _permit: Option<OwnedSemaphorePermit>,
    },
    Two {
        // The body is dropped before the connection.
        body: Option<Incoming>,
        connection: Connection<Two>,
        _using: Using,
    },
}

/// A request, as each version of HTTP takes it.
#[derive(Debug)]
pub(super) enum Sendable {
    /// Of HTTP/1.1: its bytes.
    One(Vec<u8>),
    /// Of HTTP/2.
    Two(Box<Request<Full<Bytes>>>),
}

/// Why an exchange came to no good end.
#[derive(Debug, Error)]
pub(super) enum LeaseError {
    /// Over HTTP/1.1.
    #[error(transparent)]
    One(#[from] OneError),
    /// Over HTTP/2.
    #[error(transparent)]
    Two(#[from] hyper::Error),
    /// The request is of another version than the connection.
    #[error("the request is of another version of HTTP than the connection")]
    Version,
}

/// Why there is no head of an answer.
#[derive(Debug)]
pub(super) struct SendError {
    /// What is wrong.
    pub(super) error: LeaseError,
    /// The request, if surely not one byte of it was written.
    pub(super) unsent: Option<Sendable>,
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Sendable,
    ) -> Result<(StatusCode, HeaderMap), SendError> {
        match (&mut self.kind, request) {
            (Kind::One { connection, .. }, Sendable::One(bytes)) => {
                let sent = connection.sender.send(&bytes).await;
                sent.map_err(|unanswered| SendError {
                    unsent: unanswered.is_unsent.then_some(Sendable::One(bytes)),
                    error: unanswered.error.into(),
                })
            }
            (
                Kind::Two {
                    body, connection, ..
                },
                Sendable::Two(request),
            ) => {
                let sent = connection.sender.try_send_request(*request).await;
                let answer = sent.map_err(|mut error| SendError {
                    unsent: error
                        .take_message()
                        .map(|unsent| Sendable::Two(Box::new(unsent))),
                    error: error.into_error().into(),
                })?;
                let (head, rest) = answer.into_parts();
                *body = Some(rest);
                Ok((head.status, head.headers))
            }
            (_, request) => Err(SendError {
                error: LeaseError::Version,
                unsent: Some(request),
            }),
        }
    }

    /// Hands the next part of the answer's body to `take`; false at its end.
    ///
    /// # Cancel safety
    /// Safe: a part is taken whole or not at all.
    pub(super) async fn body(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<bool, LeaseError> {
        match &mut self.kind {
            Kind::One { connection, .. } => Ok(connection.sender.body(take).await?),
            Kind::Two { body, .. } => {
                let Some(incoming) = body else {
                    return Ok(false);
                };
                while let Some(frame) = incoming.frame().await {
                    if let Some(bytes) = frame?.data_ref() {
                        take(bytes);
                        return Ok(true);
                    }
                }
                *body = None;
                Ok(false)
            }
        }
    }

    /// The grip on the connection.
    pub(super) fn hold(&self) -> Option<Rc<Hold>> {
        match &self.kind {
            Kind::One { connection, .. } => connection.hold.clone(),
            Kind::Two { connection, .. } => connection.hold.clone(),
        }
    }

    /// Whether other exchanges may be on the connection.
    pub(super) fn is_multiplexed(&self) -> bool {
        matches!(self.kind, Kind::Two { .. })
    }

    /// The connection, if requests can be sent on it beside this one.
    pub(super) fn multiplexed(&self) -> Option<Connection<Two>> {
        match &self.kind {
            Kind::One { .. } => None,
            Kind::Two { connection, .. } => Some(connection.clone()),
        }
    }

    /// Gives the connection back, for the next exchange, if it can carry one.
    pub(super) fn give_back(self) {
        if let Kind::One {
            connection, shelf, ..
        } = self.kind
            && connection.sender.is_done()
            && let Shelf::One { idle, .. } = &*shelf
        {
            idle.borrow_mut().push(connection);
        }
    }
}
