//! The line that is shown while a run lasts.
//!
//! Pure. The caller gives the figures, and writes the line. On a terminal it is written over, several times a second; elsewhere
//! (a CI log) [`Live::plain`] gives a line every five seconds, and at once when the phase changes or a fault does something.

use std::time::Duration;

use super::words;

/// The most columns that a line takes.
pub const WIDTH: usize = 100;
/// How often a plain line is due when nothing happens.
pub const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The figures of a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveStats {
    /// The phase, or what is being done before the first and after the last.
    pub phase: String,
    /// Since the start of the load.
    pub elapsed: Duration,
    /// Length of the whole time line.
    pub total: Duration,
    /// Operations a second that ended in the last second.
    pub rate: f64,
    /// The share of them that did not end ok, from 0 to 1; `None` if none ended.
    pub errors: Option<f64>,
    /// 99th percentile of their response time, nanoseconds; `None` if it falls on bad ones, or none ended.
    pub p99_ns: Option<u64>,
    /// Slots that are ready.
    pub slots_ready: u32,
    /// Slots that there are.
    pub slots_total: u32,
    /// What faults did so far, oldest first: `one-dies began`.
    pub marks: Vec<String>,
}

/// Makes the lines; remembers what the last plain one said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    printed: Option<Printed>,
}

/// What the last plain line said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Printed {
    elapsed: Duration,
    phase: String,
    marks: usize,
}

impl Live {
    /// The line for a terminal: one line of at most [`WIDTH`] columns, with the last mark as far as there is room.
    pub fn line(stats: &LiveStats) -> String {
        let phase = words::shortened(&words::visible(&stats.phase), 16);
        let mut line = format!(
            "{phase} {}/{} s  {}  {:>6}/s  errors {}  p99 {}  slots {}/{}",
            stats.elapsed.as_secs(),
            stats.total.as_secs(),
            bar(stats.elapsed, stats.total),
            words::amount(stats.rate),
            stats
                .errors
                .map_or_else(|| words::NOTHING.to_owned(), words::percent),
            p99(stats),
            stats.slots_ready,
            stats.slots_total,
        );
        if let Some(mark) = stats.marks.last() {
            let room = WIDTH.saturating_sub(line.chars().count() + 4);
            if room >= 8 {
                line.push_str("  ! ");
                line.push_str(&words::shortened(&words::visible(mark), room));
            }
        }
        words::shortened(&line, WIDTH)
    }

    /// The line for a log, if one is due: the first, then every [`PLAIN_EVERY`], and when the phase or the marks changed. A line
    /// names every mark since the last one.
    pub fn plain(&mut self, stats: &LiveStats) -> Option<String> {
        let known = self.printed.as_ref().map_or(0, |last| last.marks);
        let due = self.printed.as_ref().is_none_or(|last| {
            last.phase != stats.phase
                || last.marks != stats.marks.len()
                || stats.elapsed.saturating_sub(last.elapsed) >= PLAIN_EVERY
        });
        if !due {
            return None;
        }
        self.printed = Some(Printed {
            elapsed: stats.elapsed,
            phase: stats.phase.clone(),
            marks: stats.marks.len(),
        });
        let mut line = format!(
            "{:.1} s of {} s, {}: {}/s, errors {}, p99 {}, slots {}/{}",
            stats.elapsed.as_secs_f64(),
            stats.total.as_secs(),
            words::shortened(&words::visible(&stats.phase), 32),
            words::amount(stats.rate),
            stats
                .errors
                .map_or_else(|| words::NOTHING.to_owned(), words::percent),
            p99(stats),
            stats.slots_ready,
            stats.slots_total,
        );
        for mark in stats.marks.iter().skip(known) {
            line.push_str("; ");
            line.push_str(&words::shortened(&words::visible(mark), 64));
        }
        Some(line)
    }
}

fn p99(stats: &LiveStats) -> String {
    match (stats.p99_ns, stats.errors) {
        (Some(value), _) => words::nanos(value),
        (None, Some(errors)) if errors > 0.0 => words::FAILED.to_owned(),
        (None, _) => words::NOTHING.to_owned(),
    }
}

/// How much of the time line is over, in ten columns.
fn bar(elapsed: Duration, total: Duration) -> String {
    let tenths = if total.is_zero() {
        0
    } else {
        usize::try_from(elapsed.as_nanos() * 10 / total.as_nanos())
            .unwrap_or(10)
            .min(10)
    };
    format!("[{}{}]", "#".repeat(tenths), ".".repeat(10 - tenths))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(elapsed: f64) -> LiveStats {
        LiveStats {
            phase: "chaos".to_owned(),
            elapsed: Duration::from_secs_f64(elapsed),
            total: Duration::from_secs(20),
            rate: 198.6,
            errors: Some(0.013),
            p99_ns: Some(12_300_000),
            slots_ready: 3,
            slots_total: 4,
            marks: vec!["one-dies began".to_owned()],
        }
    }

    #[test]
    fn the_line_says_where_the_run_is() {
        assert_eq!(
            Live::line(&stats(8.4)),
            "chaos 8/20 s  [####......]     199/s  errors 1.30 %  p99 12.3 ms  slots 3/4  ! one-dies began"
        );
    }

    #[test]
    fn a_hostile_name_neither_breaks_nor_widens_the_line() {
        let mut hostile = stats(1e6);
        hostile.phase = "\u{1b}[2J\n".repeat(50);
        hostile.marks = vec!["\r".repeat(500)];
        let line = Live::line(&hostile);
        assert!(line.chars().count() <= WIDTH);
        assert!(!line.contains(char::is_control));
    }

    #[test]
    fn figures_that_are_not_there_are_not_made_up() {
        let line = Live::line(&LiveStats::default());
        assert!(line.contains("errors -  p99 -"), "{line}");
        let mut all_bad = stats(1.0);
        all_bad.p99_ns = None;
        assert!(Live::line(&all_bad).contains("p99 failed"));
    }

    #[test]
    fn plain_lines_come_every_five_seconds_and_when_something_happens() {
        let mut live = Live::default();
        assert!(live.plain(&stats(1.0)).unwrap().ends_with("one-dies began"));
        assert_eq!(live.plain(&stats(5.9)), None);
        let later = live.plain(&stats(6.0)).unwrap();
        assert_eq!(
            later,
            "6.0 s of 20 s, chaos: 199/s, errors 1.30 %, p99 12.3 ms, slots 3/4"
        );
        let mut healed = stats(6.5);
        healed.marks.push("one-dies healed".to_owned());
        assert!(live.plain(&healed).unwrap().ends_with("; one-dies healed"));
        healed.phase = "after".to_owned();
        assert!(live.plain(&healed).is_some());
        assert_eq!(live.plain(&healed), None);
    }
}
