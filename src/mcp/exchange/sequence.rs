//! [`Sequence`]: numbers that should come one after the other, to see what was missed or doubled when a stream is resumed.
//!
//! Pure. Progress values must increase (MCP, "Progress"). A server that counts up in even steps shows a gap by a larger step; the
//! first step tells how large an even one is. One that reports uneven progress shows no gaps, only what came again.

use std::collections::BTreeMap;

/// Watches the progress of one request over all streams that carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sequence {
    last: Option<f64>,
    step: Option<f64>,
}

/// What a value is, after those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The next one.
    Next,
    /// One that came before.
    Again,
    /// So many are missing before it.
    After(u64),
}

/// Values closer than this, in steps, are the same.
const NEAR: f64 = 1e-6;

impl Sequence {
    /// A sequence that goes up by ones.
    pub fn by_ones() -> Self {
        Self {
            last: None,
            step: Some(1.0),
        }
    }

    /// The last value.
    pub fn last(self) -> Option<f64> {
        self.last
    }

    /// Takes the next value. A gap counts only where all steps before it were even.
    pub fn take(&mut self, value: f64) -> Place {
        let Some(last) = self.last else {
            self.last = Some(value);
            return Place::Next;
        };
        let step = value - last;
        if step <= 0.0 {
            return Place::Again;
        }
        self.last = Some(value);
        let Some(even) = self.step else {
            self.step = Some(step);
            return Place::Next;
        };
        let steps = step / even;
        let whole = steps.round();
        if (steps - whole).abs() > NEAR * whole.max(1.0) {
            // Uneven progress: from now on no step is even.
            self.step = Some(f64::INFINITY);
            return Place::Next;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float is cut to the range when it is cast, and the steps are positive"
        )]
        let missing = (whole as u64).saturating_sub(1);
        if missing == 0 {
            Place::Next
        } else {
            Place::After(missing)
        }
    }
}

/// The most things whose numbers are watched on one stream.
const MAX_WATCHED: usize = 1000;

/// Watches the numbers of notifications, for each thing that they speak of, over all streams of one client.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    watched: BTreeMap<String, Sequence>,
}

impl Numbers {
    /// Takes the number of a notification about `thing`.
    pub fn take(&mut self, thing: &str, number: f64) -> Place {
        if let Some(known) = self.watched.get_mut(thing) {
            return known.take(number);
        }
        if self.watched.len() < MAX_WATCHED {
            let mut sequence = Sequence::by_ones();
            let place = sequence.take(number);
            self.watched.insert(thing.to_owned(), sequence);
            return place;
        }
        Place::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(values: &[f64]) -> Vec<Place> {
        let mut sequence = Sequence::default();
        values.iter().map(|value| sequence.take(*value)).collect()
    }

    #[test]
    fn even_steps_show_what_is_missing_and_what_came_again() {
        use Place::{After, Again, Next};
        assert_eq!(
            places(&[1.0, 2.0, 3.0, 6.0, 6.0, 5.0, 7.0]),
            [Next, Next, Next, After(2), Again, Again, Next]
        );
        assert_eq!(places(&[0.1, 0.2, 0.3, 0.6]), [Next, Next, Next, After(2)]);
    }

    #[test]
    fn numbers_are_watched_for_each_thing() {
        use Place::{After, Again, Next};
        let mut numbers = Numbers::default();
        let taken: Vec<Place> = [("a", 4.0), ("b", 9.0), ("a", 5.0), ("b", 12.0), ("a", 5.0)]
            .map(|(thing, number)| numbers.take(thing, number))
            .into();
        assert_eq!(taken, [Next, Next, Next, After(2), Again]);
    }

    #[test]
    fn uneven_steps_show_no_gaps() {
        assert!(
            places(&[1.0, 2.0, 4.5, 9.0, 100.0])
                .iter()
                .all(|place| *place == Place::Next)
        );
    }
}
