//! From names to offsets: the [`WindowRef`]s of objectives, resolved with what really happened.
//!
//! Pure. Each window is judged on its own; one whose fault never began or never healed does not exist. A fault with several trials
//! gives a window a span for each: before its first, during each until it is healed or the next begins, after each until then.

use super::timeline::Timeline;
use crate::load::profiles::PROFILES;
use crate::load::{Model, Pause, Span};
use crate::model::{Offset, Window};
use crate::plan::{PhasePlan, Plan, WindowRef};
use crate::registry::{Family, build};

/// The spans that a window is made of, in order; none if it does not exist.
pub fn resolve(plan: &Plan, timeline: &Timeline, window: &WindowRef) -> Vec<Window> {
    let measured = || plan.phases.iter().filter(|phase| phase.measure);
    let first = measured().next().map(|phase| phase.window.start);
    let last = measured().next_back().map(|phase| phase.window.end);
    let span = |start: Option<Offset>, end: Option<Offset>| match (start, end) {
        (Some(start), Some(end)) if start < end => vec![Window::new(start, end)],
        _ => Vec::new(),
    };
    match window {
        WindowRef::Measured => measured().map(|phase| phase.window).collect(),
        WindowRef::Phase(name) => plan
            .phases
            .iter()
            .filter(|phase| phase.name == *name)
            .map(|phase| phase.window)
            .collect(),
        WindowRef::Before(fault) => {
            let begins = plan
                .trials(fault)
                .filter_map(|one| timeline.began(&one.name));
            span(first, begins.min())
        }
        WindowRef::During(fault) => trials(plan, timeline, fault)
            .into_iter()
            .flat_map(|trial| {
                let end = trial.healed.unwrap_or(plan.end()).min(plan.end());
                span(Some(trial.began), Some(trial.next.unwrap_or(end).min(end)))
            })
            .collect(),
        WindowRef::After(fault) => trials(plan, timeline, fault)
            .into_iter()
            .flat_map(|trial| span(trial.healed, trial.next.into_iter().chain(last).min()))
            .collect(),
    }
}

/// A trial that began.
struct Trial {
    began: Offset,
    healed: Option<Offset>,
    /// When the one after it began.
    next: Option<Offset>,
}

/// The trials of a fault that began, in order.
fn trials(plan: &Plan, timeline: &Timeline, fault: &str) -> Vec<Trial> {
    let mut trials: Vec<Trial> = plan
        .trials(fault)
        .filter_map(|one| {
            Some(Trial {
                began: timeline.began(&one.name)?,
                healed: timeline.healed(&one.name),
                next: None,
            })
        })
        .collect();
    trials.sort_by_key(|trial| trial.began);
    let begins: Vec<Offset> = trials.iter().map(|trial| trial.began).collect();
    for (trial, next) in trials.iter_mut().zip(begins.into_iter().skip(1)) {
        trial.next = Some(next);
    }
    trials
}

/// The fault that a window is named by.
pub fn fault_of(window: &WindowRef) -> Option<&str> {
    match window {
        WindowRef::Measured | WindowRef::Phase(_) => None,
        WindowRef::Before(fault) | WindowRef::During(fault) | WindowRef::After(fault) => {
            Some(fault)
        }
    }
}

/// How many operations the schedule has in `window`; `None` if any load in it is closed, or of an unknown kind. Closed users with
/// a number of operations to do intend them in their phase as a whole.
pub fn intended(plan: &Plan, window: &Window) -> Option<u64> {
    let mut total = 0_u64;
    for (number, phase) in plan.phases.iter().enumerate() {
        let Some(part) = phase.window.intersect(window) else {
            continue;
        };
        for (workload, spec) in &phase.loads {
            let profile = build(PROFILES, Family::Profile, spec).ok()?;
            let count = match profile.model() {
                Model::Open => {
                    let span = Span::of(plan, number, workload)?;
                    let begin = phase.window.start.since(Offset::ZERO);
                    let before = |at: Offset| profile.count_before(&span, at - begin);
                    before(part.end).saturating_sub(before(part.start))
                }
                Model::Closed(users) if part == phase.window => users.iterations?,
                Model::Closed(_) => return None,
                Model::Idle { .. } => 0,
            };
            total = total.saturating_add(count);
        }
    }
    Some(total)
}

/// The load of a phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// In words.
    pub words: String,
    /// Whether any of it is closed.
    pub closed: bool,
    /// Whether all that is closed is paced.
    pub paced: bool,
}

/// The load of a phase: in words, and how it is produced.
pub fn load_of(phase: &PhasePlan) -> Load {
    let mut words = Vec::new();
    let (mut closed, mut thinking) = (false, false);
    for (workload, spec) in &phase.loads {
        let Ok(profile) = build(PROFILES, Family::Profile, spec) else {
            words.push(format!("{workload}: {}", spec.kind));
            continue;
        };
        if let Model::Closed(users) = profile.model() {
            closed = true;
            thinking |= matches!(users.pause, Pause::Think { .. });
        }
        words.push(format!("{workload}: {}", profile.describe()));
    }
    if words.is_empty() {
        words.push("none".to_owned());
    }
    Load {
        words: words.join(", "),
        closed,
        paced: closed && !thinking,
    }
}
