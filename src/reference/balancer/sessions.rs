//! Which member holds a session: [`SessionTable`], and [`lesson`], what an answer teaches about it.
//!
//! Pure.
//! Invariant: at most `capacity` sessions; a further one evicts the least recently used. Ids above [`ID_LIMIT`] bytes are not
//! learned, so the memory is bounded whatever servers and clients send.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::{Method, StatusCode};

use super::member::Ordinal;

/// Longest session id that is learned, in bytes; room for a signed token.
pub(super) const ID_LIMIT: usize = 1024;

/// What an answer says about where a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson<'a> {
    /// Nothing.
    Nothing,
    /// The member that answered holds the session.
    Holds(&'a str),
    /// The member that answered does not hold the session, or no longer.
    HoldsNot(&'a str),
}

/// Draws the lesson from an answer with `status` and session id `given`, to a request with `method` and session id `asked`.
///
/// - An answer that carries an id binds it (the answer to `initialize` does).
/// - DELETE with success, and 404 (the specification's word for a session that is gone), end the binding.
/// - Any other success rebinds: after a failover to a server that shares its sessions, they stay where they were answered.
pub(super) fn lesson<'a>(
    method: &Method,
    asked: Option<&'a str>,
    status: StatusCode,
    given: Option<&'a str>,
) -> Lesson<'a> {
    let lesson = match (asked, given) {
        (Some(id), _) if status == StatusCode::NOT_FOUND => Lesson::HoldsNot(id),
        (Some(id), _) if status.is_success() && method == Method::DELETE => Lesson::HoldsNot(id),
        (_, Some(id)) | (Some(id), None) if status.is_success() => Lesson::Holds(id),
        _ => Lesson::Nothing,
    };
    match lesson {
        Lesson::Holds(id) if id.len() > ID_LIMIT => Lesson::Nothing,
        other => other,
    }
}

#[derive(Debug)]
struct Binding {
    member: Ordinal,
    /// When it was last used, in uses of the table; the key of `by_use`.
    used: u64,
}

/// A bounded table of sessions and their members.
#[derive(Debug)]
pub(super) struct SessionTable {
    capacity: usize,
    bindings: HashMap<Arc<str>, Binding>,
    by_use: BTreeMap<u64, Arc<str>>,
    held: HashMap<Ordinal, u64>,
    uses: u64,
    evicted: u64,
}

impl SessionTable {
    /// A table for at most `capacity` sessions.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bindings: HashMap::new(),
            by_use: BTreeMap::new(),
            held: HashMap::new(),
            uses: 0,
            evicted: 0,
        }
    }

    /// The member that holds the session `id`, if known; counts as a use.
    pub(super) fn holder(&mut self, id: &str) -> Option<Ordinal> {
        let binding = self.bindings.get_mut(id)?;
        if let Some(key) = self.by_use.remove(&binding.used) {
            self.uses += 1;
            binding.used = self.uses;
            self.by_use.insert(self.uses, key);
        }
        Some(binding.member)
    }

    /// Remembers that `member` holds the session `id`.
    pub(super) fn bind(&mut self, id: &str, member: Ordinal) {
        match self.holder(id) {
            Some(holder) if holder == member => return,
            Some(_) => self.remove(id),
            None => {}
        }
        if self.capacity == 0 {
            return;
        }
        while self.bindings.len() >= self.capacity {
            let Some((_, oldest)) = self.by_use.first_key_value() else {
                break;
            };
            let oldest = Arc::clone(oldest);
            self.remove(&oldest);
            self.evicted += 1;
        }
        self.uses += 1;
        let key: Arc<str> = Arc::from(id);
        self.by_use.insert(self.uses, Arc::clone(&key));
        self.bindings.insert(
            key,
            Binding {
                member,
                used: self.uses,
            },
        );
        *self.held.entry(member).or_default() += 1;
    }

    /// Forgets the session `id` if `member` is held to hold it: another member's 404 says nothing about it.
    pub(super) fn unbind(&mut self, id: &str, member: Ordinal) {
        if self
            .bindings
            .get(id)
            .is_some_and(|binding| binding.member == member)
        {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: &str) {
        let Some(binding) = self.bindings.remove(id) else {
            return;
        };
        self.by_use.remove(&binding.used);
        if let Some(count) = self.held.get_mut(&binding.member) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&binding.member);
            }
        }
    }

    /// Sessions bound to `member`.
    pub(super) fn held_by(&self, member: Ordinal) -> u64 {
        self.held.get(&member).copied().unwrap_or(0)
    }

    /// Sessions in the table.
    pub(super) fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Sessions dropped for lack of room, since the start.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    const A: Ordinal = Ordinal(1);
    const B: Ordinal = Ordinal(2);

    #[test]
    fn the_least_recently_used_session_makes_room() {
        let mut table = SessionTable::new(2);
        table.bind("x", A);
        table.bind("y", B);
        assert_eq!(table.holder("x"), Some(A));
        table.bind("z", A);
        assert_eq!(
            (table.holder("x"), table.holder("y"), table.holder("z")),
            (Some(A), None, Some(A))
        );
        assert_eq!(
            (
                table.len(),
                table.evicted(),
                table.held_by(A),
                table.held_by(B)
            ),
            (2, 1, 2, 0)
        );
    }

    #[test]
    fn only_the_holder_can_end_a_binding() {
        let mut table = SessionTable::new(2);
        table.bind("x", A);
        table.unbind("x", B);
        assert_eq!(table.holder("x"), Some(A));
        table.unbind("x", A);
        assert_eq!(
            (table.holder("x"), table.len(), table.held_by(A)),
            (None, 0, 0)
        );
    }

    #[test]
    fn answers_teach_where_sessions_live() {
        let long = "x".repeat(ID_LIMIT + 1);
        let cases = [
            (
                "initialize",
                Method::POST,
                None,
                200,
                Some("n"),
                Lesson::Holds("n"),
            ),
            (
                "a refused initialize",
                Method::POST,
                None,
                400,
                Some("n"),
                Lesson::Nothing,
            ),
            (
                "a call",
                Method::POST,
                Some("s"),
                200,
                None,
                Lesson::Holds("s"),
            ),
            (
                "an accepted notification",
                Method::POST,
                Some("s"),
                202,
                Some("s"),
                Lesson::Holds("s"),
            ),
            (
                "a lost session",
                Method::POST,
                Some("s"),
                404,
                None,
                Lesson::HoldsNot("s"),
            ),
            (
                "an error",
                Method::POST,
                Some("s"),
                500,
                None,
                Lesson::Nothing,
            ),
            (
                "the end",
                Method::DELETE,
                Some("s"),
                200,
                None,
                Lesson::HoldsNot("s"),
            ),
            (
                "a refused end",
                Method::DELETE,
                Some("s"),
                405,
                None,
                Lesson::Nothing,
            ),
            ("no session", Method::POST, None, 200, None, Lesson::Nothing),
            (
                "an absurd id",
                Method::POST,
                None,
                200,
                Some(long.as_str()),
                Lesson::Nothing,
            ),
        ];
        for (name, method, asked, status, given, expected) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(lesson(&method, asked, status, given), expected, "{name}");
        }
    }

    proptest! {
        /// Against the plainest possible model: a queue of (id, member), most recently used last.
        #[test]
        fn the_table_agrees_with_a_plain_list(
            capacity in 0_usize..5,
            steps in prop::collection::vec((0_u8..3, 0_u8..8, 1_u64..4), 0..200),
        ) {
            let mut table = SessionTable::new(capacity);
            let mut model: VecDeque<(String, Ordinal)> = VecDeque::new();
            for (step, id, member) in steps {
                let (id, member) = (id.to_string(), Ordinal(member));
                let known = model.iter().position(|(other, _)| *other == id);
                let known = known.and_then(|index| model.remove(index));
                match step {
                    0 => {
                        prop_assert_eq!(table.holder(&id), known.as_ref().map(|(_, holder)| *holder));
                        model.extend(known);
                    }
                    1 => {
                        table.bind(&id, member);
                        model.push_back((id, member));
                        if model.len() > capacity {
                            model.pop_front();
                        }
                    }
                    _ => {
                        table.unbind(&id, member);
                        model.extend(known.filter(|(_, holder)| *holder != member));
                        // An unbind that changes nothing is no use: put the model's order right by using it.
                        table.holder(&id);
                    }
                }
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.by_use.len(), model.len());
                for member in (1..4).map(Ordinal) {
                    let held = model.iter().filter(|(_, holder)| *holder == member).count();
                    prop_assert_eq!(table.held_by(member), held as u64);
                }
            }
        }
    }
}
