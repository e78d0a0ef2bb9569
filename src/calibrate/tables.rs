//! A calibration for people: verdict lines and tables.
//!
//! Pure. Every number stands with its unit and the samples that it rests on.

use super::proofs::Proof;
use super::{Calibration, ClientsFound, RateFound};
use crate::check::Answer;
use crate::report::tables::{Table, number, words};
use crate::report::text;
use crate::report::words as say;

/// The whole calibration for a terminal of `width` columns; ends in a line end.
pub fn render(calibration: &Calibration, width: usize, color: bool) -> String {
    let answer = calibration.answer();
    let headline = if calibration.proofs.is_empty() {
        "nothing was asked of the instrument"
    } else {
        match answer {
            Answer::Pass => "the instrument tells what happened",
            Answer::Inconclusive => {
                "it could not be told whether the instrument tells what happened"
            }
            Answer::Fail => "the instrument does not tell what happened",
        }
    };
    let host = &calibration.host;
    let mut page = format!(
        "{}: {headline}\nmcpload {} on {}, {} of {}, {} memory, {} open files; {} by default\n",
        say::capitals(answer),
        say::visible(&calibration.tool),
        say::visible(&host.kernel),
        say::plural(u64::from(host.cores), "core"),
        say::visible(&host.processor),
        say::bytes(host.memory_bytes),
        say::count(host.open_files),
        say::plural(u64::from(calibration.workers), "worker"),
    );
    if !calibration.proofs.is_empty() {
        page.push('\n');
    }
    for proof in &calibration.proofs {
        page.push_str(&line(proof));
    }
    let mut tables = vec![rates(&calibration.rates), clients(calibration)];
    tables.retain(|table| !table.rows.is_empty());
    page.push_str(&text::tables(&tables, width, color));
    if !tables.is_empty() {
        page.push_str("\nNot measured:\n");
        for clause in &calibration.not_measured {
            page.push_str("  ");
            page.push_str(&say::visible(clause));
            page.push('\n');
        }
    }
    page
}

/// A proof in one line, for people and for grep.
pub fn line(proof: &Proof) -> String {
    format!(
        "{:12}  {}: {} ({})\n",
        say::capitals(proof.answer),
        say::visible(&proof.name),
        say::visible(&proof.headline),
        say::plural(proof.samples, "call"),
    )
}

fn rates(rates: &[RateFound]) -> Table {
    let mut notes = vec![
        "Highest open rate whose measured phase (2 s) was graded valid, with every call ok and no client kept waiting, by doubling and \
         bisection; the stub ran on the same machine. CPU of the generator is that of its workers and the conductor."
            .to_owned(),
    ];
    for rate in rates {
        let because = rate.refused_because.join("; ");
        if let (Some(refused), false) = (rate.refused_rate, because.is_empty()) {
            notes.push(format!(
                "{} at {}/s: {}.",
                name(rate),
                say::count(refused),
                say::visible(&because)
            ));
        }
    }
    Table {
        title: "Rates".to_owned(),
        columns: vec![
            words("call"),
            number("valid rate"),
            number("not valid"),
            number("samples"),
            number("CPU per call"),
            number("stub's"),
            number("cores"),
            number("stub's cores"),
            number("lag p99"),
            number("service p99"),
            number("response p99"),
        ],
        rows: rates.iter().map(rate_row).collect(),
        notes,
    }
}

fn name(rate: &RateFound) -> String {
    let workers = say::plural(u64::from(rate.workers), "worker");
    format!("{}, {workers}", rate.shape.words())
}

fn rate_row(rate: &RateFound) -> Vec<String> {
    let per_second = |rate: Option<u64>| {
        rate.map_or_else(
            || say::NOTHING.to_owned(),
            |rate| format!("{}/s", say::count(rate)),
        )
    };
    let mut row = vec![
        name(rate),
        per_second(rate.valid_rate),
        per_second(rate.refused_rate),
    ];
    match &rate.cost {
        Some(cost) => row.extend([
            say::count(cost.samples),
            say::nanos_or_nothing(cost.generator_ns_per_call),
            say::nanos_or_nothing(cost.stub_ns_per_call),
            format!("{:.2}", cost.generator_cores),
            format!("{:.2}", cost.stub_cores),
            say::nanos_or_nothing(cost.lag_p99_ns),
            say::nanos_or_nothing(cost.service_p99_ns),
            say::nanos_or_nothing(cost.response_p99_ns),
        ]),
        None => row.extend(std::iter::repeat_n(say::NOTHING.to_owned(), 8)),
    }
    row
}

fn clients(calibration: &Calibration) -> Table {
    let rows = calibration.clients.iter().map(client_row);
    Table {
        title: "Clients".to_owned(),
        columns: vec![
            words("era"),
            number("memory per client"),
            number("files per client"),
            number("fit by memory"),
            number("fit by open files"),
            words("bound by"),
            words("samples"),
        ],
        rows: rows.collect(),
        notes: vec![format!(
            "Memory and files of the load workers alone, as the difference between two runs; for all {} that a run has by default, and the \
             memory that was available. One source address reaches one endpoint over some 28,000 ports: `source = \"spread\"` takes several.",
            say::plural(u64::from(calibration.workers), "worker"),
        )],
    }
}

fn client_row(found: &ClientsFound) -> Vec<String> {
    let (most, bound) = found.bound();
    vec![
        found.era.words().to_owned(),
        say::bytes(found.bytes_per_client),
        format!("{:.1}", found.files_per_client),
        say::count(found.by_memory),
        say::count(found.by_files),
        format!("{bound}: {}", say::plural(most, "client")),
        format!(
            "{} at {} clients, {} at {}",
            say::bytes(found.few_bytes),
            say::count(found.few),
            say::bytes(found.many_bytes),
            say::count(found.many)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::sample::calibration;

    #[test]
    fn it_looks_like_this() {
        insta::assert_snapshot!(render(&calibration(), 120, false));
    }

    #[test]
    fn what_was_not_asked_for_is_not_shown() {
        let bare = Calibration {
            rates: Vec::new(),
            clients: Vec::new(),
            ..calibration()
        };
        let text = render(&bare, 120, false);
        assert!(
            text.contains("PASS          counts") && !text.contains("Rates"),
            "{text}"
        );
    }
}
