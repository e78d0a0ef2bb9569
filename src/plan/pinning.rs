//! Which processors the generator has, and which the fleet has.
//!
//! Pure. Where both share processors, each takes time from the other just when the load is high, and neither's slowness can be
//! told from the other's. Apart, a fleet that is saturated is slow by itself, and a generator that is late knows it of itself.

use serde::{Deserialize, Serialize};

/// Processors by the numbers that the kernel gives them, in order; none is in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinning {
    /// Those of mcpload itself and of its workers.
    pub generator: Vec<u32>,
    /// Those of everything that it deployed.
    pub fleet: Vec<u32>,
}

impl Pinning {
    /// Divides the processors that mcpload itself may use; none if there are not two. A worker makes its load on one thread and
    /// encodes its rows on another, and the conductor needs a little: so many workers get one processor more than they are, but
    /// never more than half.
    pub fn divide(processors: &[u32], workers: u32) -> Option<Self> {
        let most = processors.len() / 2;
        let wanted = usize::try_from(workers).map_or(most, |workers| workers.saturating_add(1));
        let (generator, fleet) = processors.split_at_checked(wanted.min(most))?;
        (!generator.is_empty()).then(|| Self {
            generator: generator.to_vec(),
            fleet: fleet.to_vec(),
        })
    }
}

/// Processors in words: `processor 0`, `processors 0-3, 6`.
pub fn processors(numbers: &[u32]) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => spans.push((*number, *number)),
        }
    }
    let spans: Vec<String> = spans
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    let s = if numbers.len() == 1 { "" } else { "s" };
    format!("processor{s} {}", spans.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_told_in_spans() {
        assert_eq!(processors(&[3]), "processor 3");
        assert_eq!(processors(&[0, 1, 2, 5, 7, 8]), "processors 0-2, 5, 7-8");
    }

    #[test]
    fn processors_are_divided_without_rest_and_the_fleet_gets_at_least_half() {
        for count in 0..12_u32 {
            let processors: Vec<u32> = (0..count).map(|number| number * 2 + 1).collect();
            for workers in 1..9 {
                let Some(pinning) = Pinning::divide(&processors, workers) else {
                    assert!(count < 2);
                    continue;
                };
                assert_eq!(
                    [pinning.generator.clone(), pinning.fleet.clone()].concat(),
                    processors
                );
                assert!(!pinning.generator.is_empty());
                assert!(pinning.generator.len() <= pinning.fleet.len());
                assert!(pinning.generator.len() <= workers as usize + 1);
            }
        }
    }
}
