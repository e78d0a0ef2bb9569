//! [`Proof`]: whether the instrument tells what happened. Three questions, each answered from a run against a stub and the
//! stub's own log.
//!
//! Pure. What cannot be told apart from a machine that is busy with something else is inconclusive: a proof fails only where the
//! phase was graded valid, or where no slowness of a machine can be the cause (a time that is too short, a call that is lost).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reading::StubLog;
use super::scenario::{PAUSE, PAUSE_CLIENTS, PAUSE_RATE};
use crate::analysis::{Quantiles, Trust};
use crate::check::Answer;
use crate::model::time::humane;
use crate::report::words::{count, nanos, nanos_or_nothing};

/// What the pause must move the response p99 above, and must not move the service p99 above.
const PAUSE_LIMIT: Duration = Duration::from_millis(100);
/// What a median may be above the stub's own, beside the resolution of the histograms.
const ALLOWED: Duration = Duration::from_millis(1);
/// The resolution of the histograms, in thousandths of a value.
const RESOLUTION: u64 = 1;

/// One question to the instrument, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its name.
    pub name: String,
    /// What is asked, one sentence.
    pub question: String,
    /// The answer.
    pub answer: Answer,
    /// The answer in words, with its numbers.
    pub headline: String,
    /// How many calls it rests on.
    pub samples: u64,
    /// The numbers: times in nanoseconds (`_ns`), or counts.
    pub numbers: BTreeMap<String, u64>,
}

impl Proof {
    fn new(name: &str, question: &str, samples: u64) -> Self {
        Self {
            name: name.to_owned(),
            question: question.to_owned(),
            answer: Answer::Inconclusive,
            headline: String::new(),
            samples,
            numbers: BTreeMap::new(),
        }
    }

    fn number(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.numbers.insert(name.to_owned(), value);
        }
    }

    fn answered(mut self, answer: Answer, headline: String) -> Self {
        self.answer = answer;
        self.headline = headline;
        self
    }
}

/// The answer where a machine that was busy could be the cause of a no.
const fn unless_busy(holds: bool, trust: Trust) -> Answer {
    match (holds, trust) {
        (_, Trust::Invalid) | (false, Trust::Degraded) => Answer::Inconclusive,
        (true, _) => Answer::Pass,
        (false, Trust::Valid) => Answer::Fail,
    }
}

const fn busy(answer: Answer) -> &'static str {
    match answer {
        Answer::Inconclusive => "; it cannot be told: the machine was too busy",
        Answer::Pass | Answer::Fail => "",
    }
}

/// What a run against a stub that pauses showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paused {
    /// Response times of the measured phase.
    pub response: Quantiles,
    /// Service times of the measured phase.
    pub service: Quantiles,
    /// The longest time of a call by the stub's own log, nanoseconds.
    pub stub_max_ns: Option<u64>,
    /// The grade of the phase.
    pub trust: Trust,
}

/// Whether a pause of a server shows where it must, and not where it must not.
///
/// Of n arrivals at a rate r, a pause of length L delays r L, evenly from L down to nothing; so a share of at most q of all has waited
/// longer than `L - q n / r`. That is about 0.96 s for the 99th percentile of 4,000 arrivals at 1,000/s and a pause of 1 s; 0.1 s is
/// asked for. The service time can only show it in the calls that were in flight, at most one for each of 8 clients.
pub fn pause(seen: &Paused) -> Proof {
    let question = "a server that pauses shows in the response time, and in the service time only of the calls in flight";
    let mut proof = Proof::new("pause", question, seen.response.samples);
    proof.number("response_p99_ns", seen.response.p99_ns);
    proof.number("service_p99_ns", seen.service.p99_ns);
    proof.number("service_max_ns", seen.service.max_ns);
    proof.number("stub_max_ns", seen.stub_max_ns);
    let limit = in_nanos(PAUSE_LIMIT);
    // A percentile that falls on calls that failed is above every value.
    let shows = seen.response.p99_ns.is_none_or(|p99| p99 > limit);
    let hidden = seen.service.p99_ns.is_some_and(|p99| p99 < limit);
    let was_paused = seen.stub_max_ns.is_some_and(|max| max >= in_nanos(PAUSE));
    let words = format!(
        "the stub paused for {} at {PAUSE_RATE}/s with {PAUSE_CLIENTS} clients: response p99 {} (must be above {}), service p99 {} (must be below)",
        humane(PAUSE),
        nanos_or_nothing(seen.response.p99_ns),
        humane(PAUSE_LIMIT),
        nanos_or_nothing(seen.service.p99_ns),
    );
    if !was_paused || seen.response.samples == 0 {
        let words = "the stub did not pause, or nothing was measured".to_owned();
        return proof.answered(Answer::Inconclusive, words);
    }
    let answer = unless_busy(shows && hidden, seen.trust);
    proof.answered(answer, format!("{words}{}", busy(answer)))
}

/// What a run against a stub with a known delay showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Delayed {
    /// The delay, nanoseconds.
    pub delay_ns: u64,
    /// Response times of the measured phase.
    pub response: Quantiles,
    /// Service times of the measured phase.
    pub service: Quantiles,
    /// The shortest service time of all calls, exact, nanoseconds.
    pub shortest_ns: Option<u64>,
    /// What the stub says.
    pub stub: StubLog,
    /// The grade of the phase.
    pub trust: Trust,
}

/// How one delay came out.
enum Came {
    Right,
    TooShort,
    TooLong,
    Unknown,
}

impl Delayed {
    fn came(&self) -> Came {
        let known = (
            self.shortest_ns,
            self.stub.service_ns.p50,
            self.service.p50_ns,
            self.response.p50_ns,
        );
        let (Some(shortest), Some(stub), Some(service), Some(response)) = known else {
            return Came::Unknown;
        };
        let slack = stub / 1_000 * RESOLUTION;
        let (least, most) = (stub - slack, stub + slack + in_nanos(ALLOWED));
        // No call can take less than the delay, to the nanosecond: these are no histogram's values.
        if shortest < self.delay_ns || service < least || response < least {
            Came::TooShort
        } else if service > most || response > most {
            Came::TooLong
        } else {
            Came::Right
        }
    }
}

/// Whether known delays come out: medians within the histograms' resolution and 1 ms of the stub's own, never below it.
pub fn delays(seen: &[Delayed]) -> Proof {
    let question = "known delays come out: medians within 0.1 % and 1 ms above the stub's own, and no call below the delay";
    let samples = seen.iter().map(|delayed| delayed.service.samples).sum();
    let mut proof = Proof::new("delays", question, samples);
    let mut answer = Answer::Pass;
    let mut parts = Vec::new();
    for delayed in seen {
        let name = nanos(delayed.delay_ns);
        let key = delayed.delay_ns / 1_000_000;
        let stub = delayed.stub.service_ns.p50;
        proof.number(&format!("stub_p50_of_{key}ms_ns"), stub);
        proof.number(
            &format!("service_p50_of_{key}ms_ns"),
            delayed.service.p50_ns,
        );
        proof.number(
            &format!("response_p50_of_{key}ms_ns"),
            delayed.response.p50_ns,
        );
        proof.number(&format!("shortest_of_{key}ms_ns"), delayed.shortest_ns);
        let (one, note) = match delayed.came() {
            Came::Right => (unless_busy(true, delayed.trust), ""),
            Came::TooLong => (unless_busy(false, delayed.trust), " TOO LONG"),
            Came::TooShort => (Answer::Fail, " TOO SHORT"),
            Came::Unknown => (Answer::Inconclusive, " not measured"),
        };
        answer = answer.max(one);
        parts.push(format!(
            "{name}: stub {}, service {}, response {}{note}",
            nanos_or_nothing(stub),
            nanos_or_nothing(delayed.service.p50_ns),
            nanos_or_nothing(delayed.response.p50_ns),
        ));
    }
    if seen.is_empty() {
        answer = Answer::Inconclusive;
    }
    let words = format!(
        "medians after a delay of {}{}",
        parts.join("; "),
        busy(answer)
    );
    proof.answered(answer, words)
}

/// Whether the stub counted as many calls as were recorded: nothing is lost, and nothing invented. Each run by its name, with our
/// count and the stub's; only runs in which every call was answered, as of others the stub may not have read the last.
pub fn counts(seen: &[(String, u64, u64)]) -> Proof {
    let question =
        "the stub counts as many calls as were recorded: nothing is lost, and nothing invented";
    let ours = seen.iter().map(|(_, ours, _)| ours).sum();
    let theirs = seen.iter().map(|(_, _, theirs)| theirs).sum();
    let mut proof = Proof::new("counts", question, ours);
    proof.number("recorded", Some(ours));
    proof.number("stub", Some(theirs));
    let different: Vec<String> = seen
        .iter()
        .filter(|(_, ours, theirs)| ours != theirs)
        .map(|(name, ours, theirs)| {
            let (ours, theirs) = (count(*ours), count(*theirs));
            format!("in {name} {ours} recorded and {theirs} at the stub")
        })
        .collect();
    if !different.is_empty() {
        return proof.answered(Answer::Fail, different.join("; "));
    }
    if ours == 0 {
        let words = "no run ended with every call answered".to_owned();
        return proof.answered(Answer::Inconclusive, words);
    }
    let words = format!(
        "{} calls recorded, {} at the stub, run by run the same",
        count(ours),
        count(theirs)
    );
    proof.answered(Answer::Pass, words)
}

fn in_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::sample::{delayed, paused, times};

    #[test]
    fn a_pause_must_show_in_the_response_time_and_not_in_the_service_time() {
        let right = pause(&paused());
        assert_eq!(right.answer, Answer::Pass, "{right:?}");
        assert_eq!(right.numbers["response_p99_ns"], 967_000_000);
        let omitted = Paused {
            response: times(120, 1_900, 1_001_000),
            ..paused()
        };
        assert_eq!(pause(&omitted).answer, Answer::Fail);
        let smeared = Paused {
            service: times(120, 900_000, 1_001_000),
            ..paused()
        };
        assert_eq!(pause(&smeared).answer, Answer::Fail);
    }

    #[test]
    fn a_busy_machine_proves_and_disproves_nothing() {
        for response in [paused().response, times(120, 1_900, 1_001_000)] {
            let seen = Paused {
                response,
                trust: Trust::Invalid,
                ..paused()
            };
            assert_eq!(pause(&seen).answer, Answer::Inconclusive);
        }
        let without = Paused {
            stub_max_ns: Some(5_000_000),
            ..paused()
        };
        assert_eq!(pause(&without).answer, Answer::Inconclusive);
    }

    #[test]
    fn a_delay_may_come_out_a_little_longer_and_never_shorter() {
        assert_eq!(delays(&[delayed()]).answer, Answer::Pass);
        let long = Delayed {
            response: times(21_300, 22_000, 22_000),
            ..delayed()
        };
        assert_eq!(delays(&[delayed(), long.clone()]).answer, Answer::Fail);
        let busy = Delayed {
            trust: Trust::Degraded,
            ..long
        };
        assert_eq!(delays(&[busy]).answer, Answer::Inconclusive);
        // Too short is wrong however busy the machine is.
        let short = Delayed {
            service: times(19_900, 21_000, 22_000),
            trust: Trust::Invalid,
            ..delayed()
        };
        assert_eq!(delays(&[short]).answer, Answer::Fail);
        let one_short = Delayed {
            shortest_ns: Some(19_999_999),
            ..delayed()
        };
        assert_eq!(delays(&[one_short]).answer, Answer::Fail);
        assert_eq!(delays(&[]).answer, Answer::Inconclusive);
    }

    #[test]
    fn one_call_more_or_less_is_a_failure_even_if_the_sums_agree() {
        let run = |name: &str, ours, theirs| (name.to_owned(), ours, theirs);
        assert_eq!(counts(&[run("a", 7, 7)]).answer, Answer::Pass);
        let crossed = counts(&[run("a", 7, 8), run("b", 8, 7)]);
        assert_eq!(crossed.answer, Answer::Fail, "{crossed:?}");
        assert_eq!(counts(&[]).answer, Answer::Inconclusive);
    }
}
