//! What changes: counters that `touch` counts up, and who is told of it.
//!
//! It does no I/O and waits for nobody. Invariant: the notifications of one counter reach every subscriber in the order of their numbers, since number and
//! delivery happen under one lock; so a subscriber can tell what it missed and what it got twice. A modern subscriber
//! that is too slow is dropped, which it sees as an error.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::{
    NotificationMetaObject, ResourceUpdatedNotification, ResourceUpdatedNotificationParam,
    ServerNotification, SubscriptionFilter, ToolListChangedNotification,
};
use tokio::sync::mpsc;

use super::catalog;
use super::sessions::Sessions;

/// The key under which a notification carries the counter's number, in its `_meta`.
pub(super) const NUMBER_KEY: &str = "mcpload/number";
/// Counters of a process.
const MOST_COUNTERS: usize = 10_000;
/// Notifications that may wait for a subscriber of the modern era.
const MOST_WAITING: usize = 1024;

/// The counters of a process and its subscribers of the modern era; those of the legacy era are in their sessions.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counters: HashMap<String, u64>,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    uris: HashSet<String>,
    tools: bool,
    sender: mpsc::Sender<ServerNotification>,
}

impl Changes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the counter was touched.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.state().counters.get(name).copied().unwrap_or(0)
    }

    /// Counts up and tells the subscribers of the counter's uri. `None` if there are too many counters.
    pub(super) fn touch(&self, name: &str, uri: &str, sessions: &Sessions) -> Option<u64> {
        let mut state = self.state();
        if state.counters.len() >= MOST_COUNTERS && !state.counters.contains_key(name) {
            return None;
        }
        let count = state.counters.entry(name.to_owned()).or_default();
        *count += 1;
        let number = *count;
        let mut meta = NotificationMetaObject::new();
        meta.insert(NUMBER_KEY.to_owned(), number.into());
        let param = ResourceUpdatedNotificationParam::new(uri);
        let mut update = ResourceUpdatedNotification::new(param);
        update.extensions.insert(meta);
        let update = ServerNotification::ResourceUpdatedNotification(update);
        sessions.notify(Some(uri), &update);
        state.tell(|listener| listener.uris.contains(uri), &update);
        Some(number)
    }

    /// Tells everybody who may want to know that the list of tools has changed.
    pub(super) fn tools_changed(&self, sessions: &Sessions) {
        let changed =
            ServerNotification::ToolListChangedNotification(ToolListChangedNotification::default());
        sessions.notify(None, &changed);
        self.state().tell(|listener| listener.tools, &changed);
    }

    /// What a subscription of the modern era will be sent. It ends when the subscriber is too slow.
    pub(super) fn listen(&self, filter: &SubscriptionFilter) -> mpsc::Receiver<ServerNotification> {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let uris = filter.resource_subscriptions.iter().flatten();
        let listener = Listener {
            uris: uris.cloned().collect(),
            tools: filter.tools_list_changed == Some(true),
            sender,
        };
        let mut state = self.state();
        state.listeners.retain(|other| !other.sender.is_closed());
        state.listeners.push(listener);
        receiver
    }
}

impl State {
    fn tell(&mut self, concerned: impl Fn(&Listener) -> bool, notification: &ServerNotification) {
        self.listeners.retain(|listener| {
            !listener.sender.is_closed()
                && (!concerned(listener) || listener.sender.try_send(notification.clone()).is_ok())
        });
    }
}

/// Whether the resource can be subscribed to: one that is there.
pub(super) fn can_subscribe(uri: &str, conformance: bool) -> bool {
    catalog::has_resource(uri) || conformance && uri.starts_with("test://")
}
