//! A crash loop of a slot: when each incarnation dies, and how long those that died had lived.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Watch;
use crate::fault::hands::{Doom, Since};

/// The most lives that are remembered, so that a fault of hours stays small.
const MOST: usize = 100_000;

/// That every incarnation is killed in its time.
pub(super) struct Doomed {
    doom: Doom,
    lives: Vec<Duration>,
}

impl Doomed {
    /// When an incarnation dies; none as long as it is not known.
    pub(super) fn due(&self, started: Instant, ready: Option<Instant>) -> Option<Instant> {
        Some(self.from(started, ready)? + self.doom.after)
    }

    /// Remembers that one dies now.
    pub(super) fn dies(&mut self, started: Instant, ready: Option<Instant>) {
        if let Some(from) = self.from(started, ready)
            && self.lives.len() < MOST
        {
            self.lives.push(from.elapsed());
        }
    }

    const fn from(&self, started: Instant, ready: Option<Instant>) -> Option<Instant> {
        match self.doom.since {
            Since::Started => Some(started),
            Since::Ready => ready,
        }
    }
}

impl Watch {
    /// Lets every incarnation die in its time from now on.
    pub(super) fn doom(&mut self, doom: Doom, reply: oneshot::Sender<()>) {
        let lives = Vec::new();
        self.doomed = Some(Doomed { doom, lives });
        // The fault that asked may have been given up; it spares the slot then.
        let _ = reply.send(());
    }

    /// Lets them live.
    pub(super) fn spare(&mut self, reply: oneshot::Sender<Vec<Duration>>) {
        let doomed = self.doomed.take();
        let _ = reply.send(doomed.map(|doomed| doomed.lives).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_life_counts_from_the_start_or_from_readiness() {
        let after = Duration::from_millis(200);
        let doomed = |since| Doomed {
            doom: Doom { after, since },
            lives: Vec::new(),
        };
        let started = Instant::now();
        assert_eq!(
            doomed(Since::Started).due(started, None),
            Some(started + after)
        );
        assert_eq!(doomed(Since::Ready).due(started, None), None);
        tokio::time::advance(Duration::from_millis(70)).await;
        let ready = Some(Instant::now());
        let mut dying = doomed(Since::Ready);
        assert_eq!(dying.due(started, ready), ready.map(|ready| ready + after));
        tokio::time::advance(after).await;
        dying.dies(started, ready);
        assert_eq!(dying.lives, [after]);
    }
}
