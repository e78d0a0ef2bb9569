//! The time line in words: moments (`chaos + 3s`) and windows (`after one-dies`), and the offsets that they come to.
//!
//! Pure. Phases follow each other without gaps from offset 0, and every moment is an offset known before the run. When a fault
//! will be healed is not known, so a window that begins or ends with a heal has only bounds here.

use std::time::Duration;

use crate::model::{Offset, Window};
use crate::plan::{FaultPlan, PhasePlan, WindowRef};
use crate::scenario::parse_duration;

/// What a moment counts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The begin of a phase, or of a fault of that name.
    Name(String),
    /// The begin of a fault.
    Begins(String),
    /// The moment at which a fault begins to be healed: its begin and its duration.
    Heals(String),
}

/// A moment: an anchor and the time after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What it counts from.
    pub anchor: Anchor,
    /// The time after it.
    pub after: Duration,
}

impl Moment {
    /// Reads `NAME [begins|heals] [+ DURATION]`.
    ///
    /// # Errors
    /// What was expected, if the text has another form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (anchor, after) = match text.split_once('+') {
            None => (text, Duration::ZERO),
            Some((anchor, after)) => (
                anchor,
                parse_duration(after).ok_or_else(|| {
                    format!("expected a duration after `+`, not {:?}", after.trim())
                })?,
            ),
        };
        let words: Vec<&str> = anchor.split_whitespace().collect();
        let anchor = match words.as_slice() {
            [name] => Anchor::Name((*name).to_owned()),
            [name, "begins"] => Anchor::Begins((*name).to_owned()),
            [name, "heals"] => Anchor::Heals((*name).to_owned()),
            _ => {
                return Err(
                    "expected `PHASE`, `PHASE + DURATION`, `FAULT begins + DURATION` or `FAULT heals + DURATION`".to_owned(),
                );
            }
        };
        Ok(Self { anchor, after })
    }
}

/// Reads a window: `measured`, `PHASE`, or `before|during|after FAULT`.
///
/// # Errors
/// What was expected, if the text has another form.
pub fn parse_window(text: &str) -> Result<WindowRef, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let name = |name: &str| name.to_owned();
    match words.as_slice() {
        ["measured"] => Ok(WindowRef::Measured),
        ["before", fault] => Ok(WindowRef::Before(name(fault))),
        ["during", fault] => Ok(WindowRef::During(name(fault))),
        ["after", fault] => Ok(WindowRef::After(name(fault))),
        [phase] => Ok(WindowRef::Phase(name(phase))),
        _ => Err(
            "expected `measured`, a phase, or `before`, `during` or `after` and a fault".to_owned(),
        ),
    }
}

/// From the begin of the first measured phase to the end of the last; `None` if none is measured.
pub fn measured(phases: &[PhasePlan]) -> Option<Window> {
    let mut counted = phases.iter().filter(|phase| phase.measure);
    let first = counted.next()?;
    let last = counted.next_back().unwrap_or(first);
    Some(Window::new(first.window.start, last.window.end))
}

/// The widest that a window can be: where a heal is its edge, the fault may be healed at once, or never. It spans all trials of
/// its fault. Empty list: nothing.
pub fn widest(window: &WindowRef, phases: &[PhasePlan], faults: &[FaultPlan]) -> Vec<Window> {
    let begin = |name: &String| {
        faults
            .iter()
            .find(|fault| fault.of == *name)
            .map(|fault| fault.at)
    };
    let end = phases.last().map_or(Offset::ZERO, |phase| phase.window.end);
    // When others do something is not known: what is before it may last until the end.
    let last = |name: &String| {
        let fault = faults.iter().find(|fault| fault.of == *name)?;
        Some(if fault.is_observed() { end } else { fault.at })
    };
    let whole = measured(phases).unwrap_or_else(|| Window::new(end, end));
    let span = match window {
        WindowRef::Measured => {
            return phases
                .iter()
                .filter(|phase| phase.measure)
                .map(|phase| phase.window)
                .collect();
        }
        WindowRef::Phase(name) => phases
            .iter()
            .find(|phase| phase.name == *name)
            .map(|phase| phase.window),
        WindowRef::Before(fault) => last(fault).map(|at| Window::new(whole.start, at)),
        WindowRef::During(fault) => begin(fault).map(|at| Window::new(at, end)),
        WindowRef::After(fault) => begin(fault).map(|at| Window::new(at, whole.end)),
    };
    span.into_iter()
        .filter(|window| !window.length().is_zero())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let moment = |text: &str| Moment::parse(text).map(|moment| (moment.anchor, moment.after));
        let name = || "chaos".to_owned();
        assert_eq!(moment("chaos"), Ok((Anchor::Name(name()), Duration::ZERO)));
        assert_eq!(
            moment("chaos + 1.5s"),
            Ok((Anchor::Name(name()), Duration::from_millis(1500)))
        );
        assert_eq!(
            moment("chaos begins+2s"),
            Ok((Anchor::Begins(name()), Duration::from_secs(2)))
        );
        assert_eq!(
            moment("chaos heals"),
            Ok((Anchor::Heals(name()), Duration::ZERO))
        );
        for wrong in ["", "+ 3s", "chaos + three", "chaos ends + 3s", "a b c"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn windows_are_read_as_they_print() {
        for text in [
            "measured",
            "steady",
            "before one-dies",
            "during one-dies",
            "after one-dies",
        ] {
            assert_eq!(parse_window(text).unwrap().to_string(), text);
        }
        assert!(parse_window("between a b").is_err());
    }
}
