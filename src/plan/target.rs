//! Which slots a fault acts on: drawn by the seed when the plan is made.
//!
//! Pure. The draw depends on the seed, the fault's place by its begin and the number of the trial, and on nothing else.

use rand::Rng;

use crate::model::seed::Purpose;
use crate::model::{Seed, Share, SlotId};

/// Draws `count` of `slots` for a trial of a fault, both counted from 0; the result is in the order of `slots`. All of them if
/// there are not so many.
pub fn draw(seed: Seed, trial: u32, fault: u64, slots: &[SlotId], count: usize) -> Vec<SlotId> {
    let mut stream = seed.stream(Purpose::Target, trial, fault);
    let mut left: Vec<usize> = (0..slots.len()).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        // A multiplication maps 64 random bits to the range evenly enough, and stays the same in every version of `rand`.
        let wide = u128::from(stream.next_u64()) * left.len() as u128;
        let at = usize::try_from(wide >> 64).unwrap_or(0);
        chosen.push(left.swap_remove(at));
    }
    chosen.sort_unstable();
    chosen
        .into_iter()
        .filter_map(|at| slots.get(at).cloned())
        .collect()
}

/// How many of `slots` a share is, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share is from 0 to 1, and a role has at most 500 slots"
)]
pub fn share_of(share: Share, slots: usize) -> usize {
    // The tiny addend keeps 1/3 written as 33.3333334% of 3 slots at 1.
    (share.ratio() * slots as f64 + 1e-6).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(count: u32) -> Vec<SlotId> {
        (1..=count).map(|one| SlotId::new("server", one)).collect()
    }

    #[test]
    fn a_draw_is_the_same_for_the_same_seed_and_differs_between_seeds() {
        let draws: Vec<_> = (0..20)
            .map(|seed| draw(Seed(seed), 0, 0, &slots(3), 1))
            .collect();
        assert_eq!(draws[7], draw(Seed(7), 0, 0, &slots(3), 1));
        for slot in slots(3) {
            assert!(draws.contains(&vec![slot]));
        }
        let trials: Vec<_> = (0..20)
            .map(|trial| draw(Seed(7), trial, 0, &slots(3), 1))
            .collect();
        assert_eq!(trials[0], draws[7]);
        for slot in slots(3) {
            assert!(trials.contains(&vec![slot]));
        }
    }

    #[test]
    fn a_draw_has_no_slot_twice_and_keeps_their_order() {
        for seed in 0..50 {
            let drawn = draw(Seed(seed), 0, 1, &slots(9), 4);
            assert_eq!(drawn.len(), 4);
            assert!(drawn.is_sorted() && drawn.windows(2).all(|two| two[0] != two[1]));
        }
        assert_eq!(draw(Seed(1), 0, 0, &slots(2), 9), slots(2));
    }

    #[test]
    fn shares_are_rounded_down() {
        let share = |text: &str, of| share_of(text.parse().unwrap(), of);
        assert_eq!(share("34%", 3), 1);
        assert_eq!(share("33.3333334%", 3), 1);
        assert_eq!(share("50%", 3), 1);
        assert_eq!(share("10%", 3), 0);
        assert_eq!(share("100%", 3), 3);
    }
}
