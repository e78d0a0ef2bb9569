//! Who is to blame: the slot that a broken promise concentrates on, if the evidence does.
//!
//! Pure. A slot is named only if it served at least 60 % of the bad ones and is significantly worse than the others; or, where
//! nobody served most of the bad ones, if exactly one slot of its role was down for most of the window.

use super::words::{count, percent, ratio};
use crate::analysis::statistics::fisher;
use crate::analysis::{Analysis, ObjectiveStats, SlotStats};
use crate::model::{SlotId, Window};

/// The part of the bad ones that makes a slot stand out.
const CONCENTRATED: f64 = 0.6;
/// The chance below which its difference to the others is no accident.
const SIGNIFICANT: f64 = 0.001;
/// How many lines of classes or slots are told.
const MOST_LINES: usize = 5;

/// Puts the slot to blame before the headline, if there is one, and why after it.
pub(super) fn name_slot(stats: &ObjectiveStats, analysis: &Analysis, headline: &mut String) {
    if let Some((slot, part)) = concentrated(stats) {
        let part = percent(part);
        *headline = format!("{slot}: {headline}; {part} of the bad ones were served by {slot}");
    } else if let Some((slot, down)) = missing(stats, analysis) {
        let down = percent(down);
        *headline = format!(
            "{slot}: {headline}; nobody served most of the bad ones, and {slot} was down for {down} of the window"
        );
    }
}

fn concentrated(stats: &ObjectiveStats) -> Option<(&SlotId, f64)> {
    let worst = stats
        .by_slot
        .iter()
        .filter(|share| !share.slot.as_str().is_empty())
        .max_by_key(|share| share.bad)?;
    let part = ratio(worst.bad, stats.bad);
    let served = worst.samples?;
    let others = stats.samples.saturating_sub(served);
    let other_bad = stats.bad.saturating_sub(worst.bad);
    let chance = fisher(worst.bad, served, other_bad, others);
    (part >= CONCENTRATED && chance < SIGNIFICANT).then_some((&worst.slot, part))
}

/// The only slot that was down for most of the window in which nobody served most of the bad ones, and for what share.
fn missing<'a>(stats: &ObjectiveStats, analysis: &'a Analysis) -> Option<(&'a SlotId, f64)> {
    let nobody: u64 = stats
        .by_slot
        .iter()
        .filter(|share| share.slot.as_str().is_empty())
        .map(|share| share.bad)
        .sum();
    let span = stats.span?;
    if ratio(nobody, stats.bad) < CONCENTRATED {
        return None;
    }
    let mut down = analysis
        .slots
        .iter()
        .filter(|slot| slot.incarnations > 0)
        .map(|slot| (&slot.slot, down_share(slot, &span)))
        .filter(|(_, share)| *share >= 0.5);
    let only = down.next()?;
    down.next().is_none().then_some(only)
}

fn down_share(slot: &SlotStats, span: &Window) -> f64 {
    let ready: f64 = slot
        .ready
        .iter()
        .filter_map(|ready| ready.intersect(span))
        .map(|part| part.length().as_secs_f64())
        .sum();
    1.0 - ready / span.length().as_secs_f64().max(1e-9)
}

/// Lines that say how the bad ones ended.
pub(super) fn classes(stats: &ObjectiveStats) -> Option<String> {
    let parts: Vec<String> = stats
        .by_class
        .iter()
        .take(MOST_LINES)
        .map(|(class, bad)| match class {
            crate::model::Class::None => format!("{} too late", count(*bad)),
            class => format!("{} {class}", count(*bad)),
        })
        .collect();
    (!parts.is_empty()).then(|| format!("bad by class: {}", parts.join(", ")))
}

/// Lines that say who served the bad ones.
pub(super) fn slots(stats: &ObjectiveStats) -> Option<String> {
    let parts: Vec<String> = stats
        .by_slot
        .iter()
        .filter(|share| share.bad > 0)
        .take(MOST_LINES)
        .map(|share| {
            let name = match share.slot.as_str() {
                "" => "unknown",
                name => name,
            };
            match share.samples {
                Some(samples) => format!("{name} {} of {}", count(share.bad), count(samples)),
                None => format!("{name} {}", count(share.bad)),
            }
        })
        .collect();
    (!parts.is_empty()).then(|| format!("bad by slot: {}", parts.join(", ")))
}
