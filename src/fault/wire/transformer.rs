//! One answer on its way out: parts in, acts out.
//!
//! Pure. Whoever holds the connection asks [`Transformer::next_act`] until there is none, then gives the next part; so nothing
//! is held here that was not asked for. Invariant: an answer that no rule hits comes out with the bytes of its body unchanged,
//! each as soon as it is there.

use super::actions::{Edit, Pass};
use super::out::Out;
use super::part::{Act, Part, Terms};

/// Turns one answer into bytes, right or wrong.
pub struct Transformer {
    edit: Box<dyn Edit>,
    out: Out,
    hit: Option<usize>,
    idle: bool,
}

impl std::fmt::Debug for Transformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transformer")
            .field("hit", &self.hit)
            .finish_non_exhaustive()
    }
}

impl Transformer {
    pub(super) fn new(mut edit: Box<dyn Edit>, terms: Terms, hit: Option<usize>) -> Self {
        let mut out = Out::new(terms);
        edit.begin(&mut out);
        let idle = false;
        Self {
            edit,
            out,
            hit,
            idle,
        }
    }

    /// One that lets everything pass.
    pub(super) fn passing(terms: Terms) -> Self {
        let mut passing = Self::new(Box::new(Pass), terms, None);
        passing.idle = true;
        passing
    }

    /// Whether nothing is changed or looked at: whoever holds the bytes of the answer may write them as they are.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// The place of the rule that acts here, from 0; None if none does.
    pub fn hit(&self) -> Option<usize> {
        self.hit
    }

    /// Whether the request is to be answered by whoever answers requests. If not, the acts are there at once, without parts.
    pub fn asks(&self) -> bool {
        self.edit.asks()
    }

    /// Takes the next part.
    pub fn take(&mut self, part: Part) {
        if self.out.is_over() {
            return;
        }
        match part {
            Part::Head(head) => self.edit.head(head, &mut self.out),
            Part::Body(bytes) => self.edit.body(bytes, &mut self.out),
            Part::End => self.edit.end(&mut self.out),
            Part::Broken => self.edit.broken(&mut self.out),
        }
    }

    /// The next act; None if another part is needed first, or after the last: close, reset or done.
    pub fn next_act(&mut self) -> Option<Act> {
        self.out.next_act()
    }

    /// Whether the last act is known already, so that no part changes anything.
    pub fn is_over(&self) -> bool {
        self.out.is_over()
    }
}
