//! Defects that are only different bytes on the wire: rules that change HTTP answers on their way to the client.
//!
//! Pure. Whoever owns connections (the reference server's listener, a proxy) reads requests, asks [`Rules::transformer`] for each,
//! feeds it the right answer, and does the acts that it gives. The transformer writes HTTP/1.1 itself, so that it can be wrong
//! on purpose, where an HTTP library would refuse. Rules do what MCP fleets do to their clients: streams cut, buffered and
//! dripped, answers lost, doubled and swapped, proxies that speak HTML. Defects of state (sessions, effects) are none of these:
//! a server has them.
//!
//! A rule is written `ACTION[=ARGUMENT][,KEY[=VALUE]…]`: `status=503,share=10%`, `cut-stream=3,method=tools/call,nth=2`.
//! The first rule that hits a request acts on its answer; what a rule leaves is offered to the next.
//!
//! Invariants: nothing is endless, each such rule has a bound in bytes and in time; what is not touched passes at once. Next:
//! [`actions`] for what there is, `selector` for which requests, `transformer` for one answer.

use std::sync::Arc;

use crate::model::Seed;
use crate::model::seed::Purpose;

pub mod actions;
mod events;
mod grammar;
mod messages;
mod out;
pub mod params;
pub mod part;
mod request;
mod rule;
mod selector;
mod tokens;
mod transformer;

pub use actions::help;
pub use grammar::RuleError;
pub use part::{Act, Head, Part, Terms};
pub use request::{Carries, Request};
pub use rule::Rule;
pub use selector::{CONDITIONS, Counts, On, Selector, Session};
pub use transformer::Transformer;

use actions::{Context, Edit, Kept};
use tokens::Tokens;

/// The rules of a listener or a link, and how often each has hit.
#[derive(Debug)]
pub struct Rules {
    seed: Seed,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    counts: Counts,
    kept: Kept,
    tokens: Tokens,
}

impl Rules {
    /// Rules in the order in which they are asked. Their draws come from `seed`.
    pub fn new(rules: Vec<Rule>, seed: Seed) -> Self {
        let arm = |rule| Armed {
            rule,
            counts: Counts::default(),
            kept: Arc::default(),
            tokens: Tokens::default(),
        };
        Self {
            seed,
            armed: rules.into_iter().map(arm).collect(),
        }
    }

    /// How many requests each rule has met and hit, in the order of the rules.
    pub fn counts(&self) -> impl Iterator<Item = (&Rule, Counts)> {
        self.armed.iter().map(|armed| (&armed.rule, armed.counts))
    }

    /// What turns the answer to this request into bytes. Counts the request.
    pub fn transformer(&mut self, request: &Request, terms: Terms) -> Transformer {
        let mut watch: Option<Box<dyn Edit>> = None;
        for (place, armed) in self.armed.iter_mut().enumerate() {
            let rule = &armed.rule;
            if !rule.selector().meets(request) {
                continue;
            }
            if let Some(uses) = rule.selector().token_uses
                && !armed.tokens.is_used_up(request.token, uses.get())
            {
                continue;
            }
            let group = u32::try_from(place).unwrap_or(u32::MAX >> 1);
            let number = armed.counts.met;
            let hit = rule
                .selector()
                .hits(&mut armed.counts, request, self.seed, group);
            let context = || Context {
                // The second quarter of the places, so that no action draws what a selector drew.
                random: self.seed.stream(Purpose::Wire, group | 1 << 30, number),
                method: request.method.clone().unwrap_or_default(),
                session: request.session.clone(),
                kept: Arc::clone(&armed.kept),
            };
            if hit {
                let edit = (rule.action().build)(rule.params(), context());
                return Transformer::new(edit, terms, Some(place));
            }
            if let Some(build) = rule.action().watch {
                watch.get_or_insert_with(|| build(rule.params(), context()));
            }
        }
        match watch {
            Some(watch) => Transformer::new(watch, terms, None),
            None => Transformer::passing(terms),
        }
    }
}

#[cfg(test)]
mod tests;
