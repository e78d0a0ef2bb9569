//! [`UnderWay`]: how many operations are in the system, and for how long, by the phase in which they were due.
//!
//! Pure. Little's law is checked with it: the mean number in the system against the arrival rate times the mean time in it. The
//! mean is exact, not sampled: an operation adds the span from its release to its end, whatever second that is. Invariant: over
//! all seconds the areas of a phase add up to the time that its operations spent in the system, in whatever order their
//! stamps come.

use crate::load::frames::Level;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// The operations in the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnderWay {
    /// By the place of the phase; the last stands for none.
    phases: Vec<Phase>,
    all: u64,
    /// The raw reading at which the current second ends.
    edge: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    count: i64,
    /// Operations times nanoseconds up to `edge`, since the last second was closed.
    area: i64,
}

impl UnderWay {
    /// Of a plan with so many phases.
    pub(crate) fn new(phases: usize) -> Self {
        Self {
            phases: vec![Phase::default(); phases + 1],
            ..Self::default()
        }
    }

    /// How many there are.
    pub(crate) const fn all(&self) -> u64 {
        self.all
    }

    /// The current second ends at this raw reading.
    pub(crate) const fn ends_at(&mut self, edge: i64) {
        self.edge = edge;
    }

    /// One was released at the raw reading `at`.
    pub(crate) fn enter(&mut self, phase: Option<u32>, at: i64) {
        self.all += 1;
        self.change(phase, at, 1);
    }

    /// One ended at the raw reading `at`.
    pub(crate) fn leave(&mut self, phase: Option<u32>, at: i64) {
        self.all = self.all.saturating_sub(1);
        self.change(phase, at, -1);
    }

    fn change(&mut self, phase: Option<u32>, at: i64, by: i64) {
        let last = self.phases.len().saturating_sub(1);
        let place = phase.map_or(last, |phase| (phase as usize).min(last));
        if let Some(phase) = self.phases.get_mut(place) {
            phase.count += by;
            phase.area = phase
                .area
                .saturating_add(by.saturating_mul(self.edge.saturating_sub(at)));
        }
    }

    /// Closes the second; the next ends a second later.
    pub(crate) fn close(&mut self) -> Vec<Level> {
        self.edge = self.edge.saturating_add(SECOND);
        let none = self.phases.len().saturating_sub(1);
        let mut levels = Vec::new();
        for (place, phase) in self.phases.iter_mut().enumerate() {
            let area = std::mem::replace(&mut phase.area, phase.count.saturating_mul(SECOND));
            if area != 0 && place != none {
                levels.push(Level {
                    phase: u32::try_from(place).unwrap_or(u32::MAX),
                    area_ns: area,
                });
            }
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn areas_add_up_to_the_time_spent_whatever_the_order_of_the_stamps(
            stays in proptest::collection::vec((0_u32..3, 0_i64..5_000, 0_i64..3_000), 1..40),
        ) {
            let mut under_way = UnderWay::new(3);
            under_way.ends_at(SECOND);
            let mut steps: Vec<(i64, u32, bool)> = Vec::new();
            for (phase, from, length) in &stays {
                steps.push((*from, *phase, true));
                steps.push((from + length, *phase, false));
            }
            steps.sort_by_key(|(at, _, enters)| (at / 1_000, !enters));
            let mut areas = [0_i64; 3];
            let mut add = |levels: Vec<Level>| levels.iter().for_each(|level| areas[level.phase as usize] += level.area_ns);
            let mut second = 0;
            for (at, phase, enters) in steps {
                while second < at / 1_000 {
                    add(under_way.close());
                    second += 1;
                }
                let raw = at * 1_000_000;
                if enters { under_way.enter(Some(phase), raw) } else { under_way.leave(Some(phase), raw) }
            }
            add(under_way.close());
            prop_assert_eq!(under_way.all(), 0);
            for phase in 0..3 {
                let spent: i64 = stays.iter().filter(|stay| stay.0 == phase).map(|stay| stay.2 * 1_000_000).sum();
                prop_assert_eq!(areas[phase as usize], spent);
            }
        }
    }
}
