//! `timeseries.csv`: a row a second, for spreadsheets, pandas and DuckDB.
//!
//! Pure. [`COLUMNS`] documents the fixed columns; after them stands `ready_ROLE` for each role, the slots ready at the end of
//! the second. An empty field is "no sample"; `inf` is a percentile whose rank falls on operations that did not end ok, which
//! exceed every value. A text that a spreadsheet would run as a formula is quoted with `'`.

use std::collections::BTreeSet;

use super::{RenderError, Report, Reporter, words};
use crate::analysis::{Quantiles, SecondStats};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of its file.
pub const FILE: &str = "timeseries.csv";

/// A column: name, unit and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; ends in the unit where it has one.
    pub name: &'static str,
    /// Its unit; `1` for a number of things.
    pub unit: &'static str,
    /// What it is, one sentence without a period.
    pub summary: &'static str,
}

/// The fixed columns, in order.
pub const COLUMNS: &[Column] = &[
    column(
        "second_s",
        "s",
        "the second that the row is of, counted from the start of the load; set-up has negative ones",
    ),
    column("due", "1", "operations that were due in this second"),
    column("ok", "1", "of these, operations that ended ok"),
    column(
        "fail",
        "1",
        "of these, operations that ended fail: they surely had no effect",
    ),
    column(
        "info",
        "1",
        "of these, operations that ended info: their effect is unknown",
    ),
    column(
        "shed",
        "1",
        "of these, operations that mcpload itself was too late to send",
    ),
    column(
        "samples",
        "1",
        "operations that ended in this second, bad ones included; the percentiles are of these",
    ),
    column("p50_ms", "ms", "median of their response time, from due"),
    column(
        "p95_ms",
        "ms",
        "95th percentile of their response time, from due",
    ),
    column(
        "p99_ms",
        "ms",
        "99th percentile of their response time, from due",
    ),
    column(
        "max_ms",
        "ms",
        "greatest response time of those that ended ok",
    ),
    column(
        "lag_p99_ms",
        "ms",
        "99th percentile of the generator's own lag",
    ),
];

const fn column(name: &'static str, unit: &'static str, summary: &'static str) -> Column {
    Column {
        name,
        unit,
        summary,
    }
}

struct Csv;

impl Reporter for Csv {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        let bytes = write(&report.analysis.series).map_err(|source| RenderError {
            format: KIND.info.name,
            source,
        })?;
        Ok(vec![(FILE, bytes)])
    }
}

/// The roles that any second speaks of, in the order of their names.
fn roles(series: &[SecondStats]) -> BTreeSet<&str> {
    let ready = series.iter().flat_map(|second| &second.ready);
    ready.map(|(role, _)| role.as_str()).collect()
}

fn write(series: &[SecondStats]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let roles = roles(series);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fixed = COLUMNS.iter().map(|column| column.name.to_owned());
    let ready = roles.iter().map(|role| field(&format!("ready_{role}")));
    writer.write_record(fixed.chain(ready))?;
    for second in series {
        writer.write_record(row(second, &roles))?;
    }
    Ok(writer.into_inner()?)
}

fn row(second: &SecondStats, roles: &BTreeSet<&str>) -> Vec<String> {
    let response = &second.response;
    let mut row = vec![
        second.second.to_string(),
        second.due.to_string(),
        second.ok.to_string(),
        second.fail.to_string(),
        second.info.to_string(),
        second.shed.to_string(),
        response.samples.to_string(),
        percentile(response.p50_ns, response),
        percentile(response.p95_ns, response),
        percentile(response.p99_ns, response),
        response.max_ns.map_or_else(String::new, milliseconds),
        second.lag_p99_ns.map_or_else(String::new, milliseconds),
    ];
    row.extend(roles.iter().map(|wanted| {
        let ready = second.ready.iter().find(|(role, _)| role == wanted);
        ready.map_or_else(String::new, |(_, slots)| slots.to_string())
    }));
    row
}

fn percentile(value: Option<u64>, of: &Quantiles) -> String {
    match value {
        Some(value) => milliseconds(value),
        None if of.samples > 0 && of.bad > 0 => "inf".to_owned(),
        None => String::new(),
    }
}

/// Nanoseconds as milliseconds, exact: `1.500000`.
fn milliseconds(nanos: u64) -> String {
    format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000)
}

/// A text field that no spreadsheet takes for a formula (OWASP, "CSV Injection"); the writer adds the quotes of the format.
pub(crate) fn field(text: &str) -> String {
    let text = words::visible(text);
    if text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '|', '%'])
    {
        return format!("'{text}");
    }
    text
}

/// The time series as CSV.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "csv",
        summary: "a time series with a row a second: report/timeseries.csv",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Csv)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_exact() {
        assert_eq!(milliseconds(1_500_000), "1.500000");
        assert_eq!(milliseconds(999), "0.000999");
    }

    #[test]
    fn a_text_that_could_be_a_formula_is_quoted() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", " =1"] {
            assert_eq!(field(text), format!("'{text}"));
        }
        assert_eq!(field("\t=1"), r"\t=1");
        assert_eq!(field("server"), "server");
    }

    #[test]
    fn no_sample_is_empty_and_a_failed_percentile_is_infinite() {
        let second = SecondStats {
            second: -1,
            response: Quantiles {
                samples: 2,
                bad: 1,
                p50_ns: Some(2_000_000),
                ..Quantiles::default()
            },
            ready: vec![("server".to_owned(), 3)],
            ..SecondStats::default()
        };
        let text = String::from_utf8(write(&[second]).unwrap()).unwrap();
        let last = text.lines().last().unwrap();
        assert_eq!(last, "-1,0,0,0,0,0,2,2.000000,inf,inf,,,3");
        assert_eq!(
            text.lines().next().unwrap().split(',').count(),
            COLUMNS.len() + 1
        );
    }
}
