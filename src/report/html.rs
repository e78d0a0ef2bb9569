//! `report.html`: one page that needs nothing else, for people.
//!
//! Pure. No external asset and no script. The template (`html/page.html`) escapes every value by itself; the only text that it
//! takes as it is are the drawings, whose texts `report::chart` escapes. The page reads in light and dark and on paper.

use minijinja::value::Value;
use minijinja::{Environment, context};

use super::tables::{self, Align, Table};
use super::{RenderError, Report, Reporter, words};
use crate::analysis::{FaultStats, Reached, Trust};
use crate::check::{Answer, Finding};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

pub mod charts;

/// The name of its file.
pub const FILE: &str = "report.html";

const TEMPLATE: &str = include_str!("html/page.html");

struct Html;

impl Reporter for Html {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        let page = render(report).map_err(|source| RenderError {
            format: KIND.info.name,
            source: Box::new(source),
        })?;
        Ok(vec![(FILE, page.into_bytes())])
    }
}

fn render(report: &Report) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    // The name ends in .html: that is what turns on escaping.
    environment.add_template("page.html", TEMPLATE)?;
    let page = environment.get_template("page.html")?;
    page.render(context! {
        answer => report.verdict.answer.name(),
        word => words::capitals(report.verdict.answer),
        exit => report.verdict.exit,
        headline => words::visible(&report.verdict.headline),
        version => words::visible(&report.version),
        run => run(report),
        figures => figures(report),
        findings => report.findings.iter().map(finding).collect::<Vec<Value>>(),
        charts => charts::all(&report.analysis).into_iter().map(chart).collect::<Vec<Value>>(),
        tables => tables::all(report).iter().map(table).collect::<Vec<Value>>(),
        validity => validity(report),
    })
}

fn run(report: &Report) -> Value {
    let run = &report.analysis.run;
    let host = &run.host;
    context! {
        name => words::visible(&run.name),
        id => words::visible(&run.id),
        seed => run.seed.0.to_string(),
        tool => words::visible(&run.tool),
        started => words::visible(&run.started),
        source => words::visible(&run.source),
        again => !run.source.starts_with('-'),
        host => format!(
            "{}, {} of {}, {} memory, {} open files",
            words::visible(&host.kernel),
            words::plural(u64::from(host.cores), "core"),
            words::visible(&host.processor),
            words::bytes(host.memory_bytes),
            words::count(host.open_files),
        ),
    }
}

/// The few numbers that stand beside the verdict.
fn figures(report: &Report) -> Vec<Value> {
    let analysis = &report.analysis;
    let measured = &analysis.measured;
    let mut figures = vec![
        context! { name => "operations due", value => words::count(measured.due), more => "in the measured phases" },
        context! {
            name => "bad",
            value => words::share(measured.bad(), measured.due),
            more => format!("{} of {}", words::count(measured.bad()), words::count(measured.due)),
        },
    ];
    let first_trials = analysis.faults.iter().filter(|fault| fault.trial == 1);
    figures.extend(first_trials.take(2).map(|fault| recovered(report, fault)));
    let sessions = &analysis.sessions;
    figures.push(context! {
        name => "sessions lost",
        value => words::count(sessions.lost),
        more => format!("{} re-established", words::count(sessions.re_established)),
    });
    figures
}

/// When users were served again after a fault; over its trials, if there are several.
fn recovered(report: &Report, fault: &FaultStats) -> Value {
    let name = format!("service recovered from {}", words::visible(&fault.of));
    let mut trials = report.analysis.trials.iter();
    match trials.find(|trials| trials.fault == fault.of) {
        None => context! {
            name,
            value => words::reached(fault.recovery.service),
            more => match fault.recovery.after_heal.map(|after| after.service) {
                Some(Reached::After(0)) => "no later than its heal".to_owned(),
                Some(Reached::After(after)) => format!("{} after its heal", words::nanos(after)),
                _ => format!("performance: {}", words::reached(fault.recovery.performance)),
            },
        },
        Some(trials) => {
            let or_never = |value: Option<u64>| {
                value.map_or_else(|| "not while observed".to_owned(), words::nanos)
            };
            context! {
                name,
                value => or_never(trials.service.median_ns),
                more => format!(
                    "median of {}; greatest: {}",
                    words::plural(trials.proven, "trial"),
                    or_never(trials.service.max_ns)
                ),
            }
        }
    }
}

fn finding(finding: &Finding) -> Value {
    context! {
        answer => finding.answer.name(),
        word => words::capitals(finding.answer),
        name => words::visible(&finding.name),
        kind => words::visible(&finding.kind),
        headline => words::visible(&finding.headline),
        evidence => finding.evidence.iter().map(|line| words::visible(line)).collect::<Vec<String>>(),
        samples => words::plural(finding.samples, "sample"),
        line => finding.line,
        open => finding.answer != Answer::Pass,
    }
}

fn table(table: &Table) -> Value {
    let columns = table.columns.iter().map(|column| {
        context! { name => column.name, class => class(column.align) }
    });
    let rows = table.rows.iter().map(|row| {
        let cells = row.iter().zip(&table.columns).map(|(cell, column)| {
            context! { text => cell.as_str(), class => class(column.align), failed => cell == words::FAILED }
        });
        Value::from(cells.collect::<Vec<Value>>())
    });
    context! {
        title => table.title.as_str(),
        columns => columns.collect::<Vec<Value>>(),
        rows => rows.collect::<Vec<Value>>(),
        notes => table.notes.clone(),
    }
}

const fn class(align: Align) -> &'static str {
    match align {
        Align::Left => "words",
        Align::Right => "number",
    }
}

fn chart(drawn: charts::Drawn) -> Value {
    context! {
        title => drawn.title,
        caption => drawn.caption,
        svg => Value::from_safe_string(drawn.svg),
        table => table(&drawn.table),
    }
}

/// Sentences on how far the numbers can be trusted.
fn validity(report: &Report) -> Vec<Value> {
    let analysis = &report.analysis;
    let mut lines = vec![(
        "run",
        format!("Ending: {}.", words::ending(analysis.ending)),
    )];
    if let Some(steady) = &analysis.steady {
        let word = if steady.steady {
            "steady"
        } else {
            "not steady"
        };
        lines.push((
            "steady state",
            format!(
                "The fleet was {word} at {}, before the first fault: {} of {} ok.",
                words::moment(steady.at),
                words::count(steady.good),
                words::plural(steady.total, "operation")
            ),
        ));
    }
    for grade in &analysis.trust {
        let reasons: Vec<String> = grade
            .reasons
            .iter()
            .map(|reason| words::visible(reason))
            .collect();
        let why = match grade.trust {
            Trust::Valid => "the generator did what it should".to_owned(),
            Trust::Degraded | Trust::Invalid => {
                words::or(&reasons.join("; "), "no reason given").to_owned()
            }
        };
        lines.push((
            "trust",
            format!(
                "{}: {} ({why}).",
                words::visible(&grade.phase),
                words::trust(grade.trust)
            ),
        ));
    }
    for (worker, reason) in &analysis.lost_workers {
        lines.push((
            "worker",
            format!("Worker {worker} was lost: {}.", words::visible(reason)),
        ));
    }
    if analysis.whole.unrecorded > 0 {
        let rows = words::plural(analysis.whole.unrecorded, "row");
        lines.push(("recorder", format!("{rows} of calls were not recorded.")));
    }
    for trouble in &analysis.troubles {
        lines.push(("trouble", words::visible(trouble)));
    }
    for damage in &analysis.damage {
        lines.push(("damage", words::visible(damage)));
    }
    lines
        .into_iter()
        .map(|(what, text)| context! { what, text })
        .collect()
}

/// The report as a page.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "html",
        summary: "one self-contained page with charts: report/report.html",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Html)),
};
