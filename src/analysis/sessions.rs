//! Legacy sessions: how many were born, lost and re-established, in the whole run and after a fault.
//!
//! Pure. One fold over the transitions, in any order; each client lives on one worker.

use std::collections::BTreeMap;

use super::SessionStats;
use crate::model::Offset;
use crate::model::session::{SessionRow, Transition};

/// The lives of all sessions, by workload, client and number.
#[derive(Clone, Debug, Default)]
pub struct SessionFold {
    stats: SessionStats,
    workloads: Vec<String>,
    lives: BTreeMap<(usize, u32, u32), Life>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// Born or re-established.
    began: Option<Offset>,
    /// It replaces a lost one.
    replaces: bool,
    lost: Option<Offset>,
    closed: Option<Offset>,
}

/// What a fault did to sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionImpact {
    /// Sessions active when it began.
    pub active: u64,
    /// Those that were lost after that.
    pub lost: u64,
    /// Those of the lost whose client has a new one.
    pub re_established: u64,
    /// When the last of these was established.
    pub settled: Option<Offset>,
}

fn note(earliest: &mut Option<Offset>, at: Offset) {
    *earliest = Some(earliest.map_or(at, |known| known.min(at)));
}

impl SessionFold {
    /// Adds a transition.
    pub fn observe(&mut self, row: &SessionRow) {
        let known = self.workloads.iter().position(|name| *name == row.workload);
        let workload = known.unwrap_or_else(|| {
            self.workloads.push(row.workload.clone());
            self.workloads.len() - 1
        });
        let life = self
            .lives
            .entry((workload, row.client, row.session))
            .or_default();
        match row.transition {
            Transition::Born => {
                self.stats.born += 1;
                note(&mut life.began, row.at);
            }
            Transition::ReEstablished => {
                self.stats.re_established += 1;
                note(&mut life.began, row.at);
                life.replaces = true;
            }
            Transition::Lost => {
                self.stats.lost += 1;
                note(&mut life.lost, row.at);
            }
            Transition::Closed => {
                self.stats.closed += 1;
                note(&mut life.closed, row.at);
            }
            Transition::Failed => self.stats.failed += 1,
            Transition::Abandoned => {
                self.stats.abandoned += 1;
                note(&mut life.closed, row.at);
            }
            Transition::StreamOpened => self.stats.streams += 1,
            Transition::StreamCut => self.stats.streams_cut += 1,
            Transition::Resumed | Transition::Uneven => {
                self.stats.resumed += u64::from(row.transition == Transition::Resumed);
                self.stats.missed = self.stats.missed.saturating_add(row.missed);
                self.stats.doubled = self.stats.doubled.saturating_add(row.doubled);
            }
        }
    }

    /// The counts of the whole run.
    pub const fn stats(&self) -> SessionStats {
        self.stats
    }

    /// What happened to the sessions that were active at `began`, up to `until`; their re-establishment counts whenever it was.
    pub fn impact(&self, began: Offset, until: Offset) -> SessionImpact {
        let mut impact = SessionImpact::default();
        for ((workload, client, session), life) in &self.lives {
            let ended = [life.lost, life.closed].into_iter().flatten().min();
            let active = life.began.is_some_and(|at| at <= began)
                && ended.is_none_or(|ended| ended >= began);
            impact.active += u64::from(active);
            let Some(lost) = life.lost.filter(|lost| active && *lost < until) else {
                continue;
            };
            impact.lost += 1;
            let later =
                (*workload, *client, session.saturating_add(1))..=(*workload, *client, u32::MAX);
            let replaced = self
                .lives
                .range(later)
                .filter(|(_, next)| next.replaces)
                .filter_map(|(_, next)| next.began)
                .find(|at| *at >= lost);
            if let Some(at) = replaced {
                impact.re_established += 1;
                impact.settled = impact.settled.max(Some(at));
            }
        }
        impact
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProtocolVersion;

    fn row(at: i64, client: u32, session: u32, transition: Transition) -> SessionRow {
        SessionRow {
            at: Offset(at),
            worker: 0,
            workload: "main".to_owned(),
            client,
            session,
            protocol: ProtocolVersion::V2025_11_25,
            transition,
            instance: String::new(),
            cause: String::new(),
            missed: 0,
            doubled: 0,
        }
    }

    #[test]
    fn only_sessions_that_were_active_at_the_begin_count_as_lost_by_a_fault() {
        use Transition::{Born, Closed, Lost, ReEstablished};
        let mut rows = vec![
            row(0, 0, 1, Born),
            row(0, 1, 1, Born),
            row(0, 2, 1, Born),
            row(0, 3, 1, Born),
            row(5, 3, 1, Closed),
            row(20, 4, 1, Born),
            row(12, 0, 1, Lost),
            row(15, 0, 2, ReEstablished),
            row(14, 1, 1, Lost),
            row(22, 4, 1, Lost),
            row(90, 2, 1, Lost),
        ];
        let expected = SessionImpact {
            active: 3,
            lost: 2,
            re_established: 1,
            settled: Some(Offset(15)),
        };
        for _ in 0..rows.len() {
            rows.rotate_left(1);
            let mut fold = SessionFold::default();
            for row in &rows {
                fold.observe(row);
            }
            assert_eq!(fold.impact(Offset(10), Offset(50)), expected);
            assert_eq!((fold.stats().born, fold.stats().lost), (5, 4));
        }
    }
}
