//! Which charts the page has, and what is drawn in them.
//!
//! Pure. A long run is drawn in columns of several seconds, so that a column is never narrower than two pixels: counts are then
//! a mean rate, percentiles the worst of their seconds (percentiles cannot be averaged), and the caption says so. The table
//! below a chart has the seconds themselves.

use std::collections::BTreeSet;

use crate::analysis::{Analysis, FaultStats, Quantiles, Reached, SecondStats};
use crate::model::Offset;
use crate::report::chart::{Chart, Mark, Point, Scale, Series, Shape, Stroke, Unit};
use crate::report::tables::{self, Table};
use crate::report::words;

/// The most columns that a chart is drawn in.
const MOST_COLUMNS: usize = 450;
/// The most rows of a table below a chart.
const MOST_ROWS: usize = 3_600;
/// From this ratio of the greatest to the least value on, times are drawn logarithmically.
const WIDE: f64 = 30.0;

/// A drawn chart with its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The heading.
    pub title: &'static str,
    /// How to read it.
    pub caption: String,
    /// The `svg` element.
    pub svg: String,
    /// Its data.
    pub table: Table,
}

/// Every chart of the page; none if there is no second to draw.
pub fn all(analysis: &Analysis) -> Vec<Drawn> {
    if analysis.series.is_empty() {
        return Vec::new();
    }
    let columns = Columns::of(&analysis.series);
    vec![
        times(analysis, &columns),
        rate(analysis, &columns),
        errors(analysis, &columns),
        slots(analysis, &columns),
        lag(analysis, &columns),
    ]
}

/// The seconds, in columns of equal length.
struct Columns<'a> {
    chunks: Vec<&'a [SecondStats]>,
    length: usize,
}

impl<'a> Columns<'a> {
    fn of(series: &'a [SecondStats]) -> Self {
        let length = series.len().div_ceil(MOST_COLUMNS).max(1);
        Self {
            chunks: series.chunks(length).collect(),
            length,
        }
    }

    /// The length of a column, in seconds.
    #[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
    fn step(&self) -> f64 {
        self.length as f64
    }

    fn points(&self, value: impl Fn(&[SecondStats]) -> Point) -> Vec<(f64, Point)> {
        let points = self
            .chunks
            .iter()
            .filter_map(|chunk| Some((start(chunk.first()?), value(chunk))));
        points.collect()
    }

    fn series(
        &self,
        name: &str,
        shape: Shape,
        style: usize,
        value: impl Fn(&[SecondStats]) -> Point,
    ) -> Series {
        Series {
            name: name.to_owned(),
            shape,
            style,
            points: self.points(value),
            step: self.step(),
        }
    }

    /// A count as a mean rate of its column.
    #[expect(clippy::cast_precision_loss, reason = "drawn to a tenth of a pixel")]
    fn counts(
        &self,
        name: &str,
        shape: Shape,
        style: usize,
        count: fn(&SecondStats) -> u64,
    ) -> Series {
        self.series(name, shape, style, |chunk| {
            let sum: u64 = chunk.iter().map(count).sum();
            Point::Value(sum as f64 / chunk.len().max(1) as f64)
        })
    }

    /// What a caption says of columns that are longer than a second.
    fn caption(&self, counts: bool) -> String {
        match (self.length, counts) {
            (1, _) => String::new(),
            (length, true) => format!(" Each column is the mean of {length} s."),
            (length, false) => format!(" Each point is the worst second of {length} s."),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of seconds")]
fn start(second: &SecondStats) -> f64 {
    second.second as f64
}

/// A chart with the time axis, phases and faults that all of them share.
fn frame(analysis: &Analysis, title: &str, unit: Unit, scale: Scale, series: Vec<Series>) -> Chart {
    let first = analysis.series.first().map_or(0.0, start);
    let last = analysis
        .series
        .last()
        .map_or(1.0, |second| start(second) + 1.0);
    Chart {
        title: title.to_owned(),
        seconds: (first, last.max(first + 1.0)),
        scale,
        unit,
        series,
        phases: analysis
            .phases
            .iter()
            .map(|phase| {
                let measured = if phase.measured {
                    ""
                } else {
                    " (not measured)"
                };
                (
                    phase.window.start.seconds(),
                    phase.window.end.seconds(),
                    format!("{}{measured}", phase.name),
                )
            })
            .collect(),
        bands: analysis
            .faults
            .iter()
            .filter_map(|fault| band(fault, last))
            .collect(),
        marks: analysis.faults.iter().flat_map(marks).collect(),
    }
}

/// From begin to heal; to the end, if it was not healed.
fn band(fault: &FaultStats, last: f64) -> Option<(f64, f64)> {
    let began = fault.began?.seconds();
    let healed = fault.healed.as_ref().map_or(last, |(at, _)| at.seconds());
    Some((began, healed))
}

fn marks(fault: &FaultStats) -> Vec<Mark> {
    let mark = |at: Offset, what: &str, stroke: Stroke| Mark {
        at: at.seconds(),
        label: format!("{} {what}", fault.name),
        stroke,
    };
    let effective = fault.effective.as_ref().map(|(at, _)| *at);
    let mut marks = Vec::new();
    if fault.trial > 1 {
        // The first trial shows what a trial looks like; the others would only cover the lines.
        return fault
            .began
            .map(|at| mark(at, "began", Stroke::Solid))
            .into_iter()
            .collect();
    }
    match (fault.began, effective) {
        // A fault that acts at once needs one mark; the table has both stamps.
        (Some(began), Some(effective)) if effective.since(began).as_millis() < 100 => {
            marks.push(mark(began, "began, effective", Stroke::Solid));
        }
        (began, effective) => {
            marks.extend(began.map(|at| mark(at, "began", Stroke::Solid)));
            marks.extend(effective.map(|at| mark(at, "effective", Stroke::Solid)));
        }
    }
    if let (Reached::After(after), Some(zero)) =
        (fault.recovery.service, fault.acted.or(fault.began))
    {
        let at = zero + std::time::Duration::from_nanos(after);
        marks.push(mark(at, "service recovered", Stroke::Dotted));
    }
    if let Some((at, _)) = &fault.healed {
        marks.push(mark(*at, "healed", Stroke::Dashed));
    }
    marks
}

/// The table below a chart: the first column is the second.
fn table(
    analysis: &Analysis,
    columns: Vec<&'static str>,
    cells: impl Fn(&SecondStats) -> Vec<String>,
) -> Table {
    let rest = analysis.series.len().saturating_sub(MOST_ROWS);
    let rows = analysis.series.iter().take(MOST_ROWS).map(|second| {
        let mut row = vec![format!("{} s", second.second)];
        row.extend(cells(second));
        row
    });
    let mut notes = Vec::new();
    if rest > 0 {
        notes.push(format!(
            "{} more stand in timeseries.csv.",
            words::plural(rest as u64, "second")
        ));
    }
    Table {
        title: "Data".to_owned(),
        columns: std::iter::once("second")
            .chain(columns)
            .map(tables::number)
            .collect(),
        rows: rows.collect(),
        notes,
    }
}

/// The worst of a percentile over the seconds of a column.
#[expect(clippy::cast_precision_loss, reason = "drawn to a tenth of a pixel")]
fn worst(chunk: &[SecondStats], percentile: fn(&Quantiles) -> Option<u64>) -> Point {
    let failed = |of: &Quantiles| of.samples > 0 && of.bad > 0 && percentile(of).is_none();
    if chunk.iter().any(|second| failed(&second.response)) {
        return Point::Beyond;
    }
    let greatest = chunk
        .iter()
        .filter_map(|second| percentile(&second.response))
        .max();
    greatest.map_or(Point::Nothing, |value| Point::Value(value as f64))
}

fn times(analysis: &Analysis, columns: &Columns<'_>) -> Drawn {
    let line = |name: &str, style, percentile: fn(&Quantiles) -> Option<u64>| {
        columns.series(name, Shape::Line, style, |chunk| worst(chunk, percentile))
    };
    let series = vec![
        line("p50", 0, |of| of.p50_ns),
        line("p95", 1, |of| of.p95_ns),
        line("p99", 2, |of| of.p99_ns),
    ];
    let scale = scale(&series);
    let words_for_scale = match scale {
        Scale::Linear => "",
        Scale::Log => " The scale is logarithmic.",
    };
    let closed = if analysis
        .phases
        .iter()
        .any(|phase| phase.closed && !phase.paced)
    {
        format!(" Phases under closed load: {}.", words::CLOSED)
    } else {
        String::new()
    };
    Drawn {
        title: "Response time",
        caption: format!(
            "From the due time of an operation to the end of its last call, of the operations that ended in each second. A cross \
             at the upper edge: the percentile falls on operations that did not end ok.{words_for_scale}{}{closed}",
            columns.caption(false)
        ),
        svg: frame(
            analysis,
            "Response time percentiles over time",
            Unit::Nanos,
            scale,
            series,
        )
        .svg(),
        table: table(
            analysis,
            vec!["samples", "bad", "p50", "p95", "p99", "greatest ok"],
            |second| {
                let of = &second.response;
                vec![
                    words::count(of.samples),
                    words::count(of.bad),
                    words::percentile(of.p50_ns, of),
                    words::percentile(of.p95_ns, of),
                    words::percentile(of.p99_ns, of),
                    words::nanos_or_nothing(of.max_ns),
                ]
            },
        ),
    }
}

/// Logarithmic where one linear axis would hide the small values.
fn scale(series: &[Series]) -> Scale {
    let values =
        series
            .iter()
            .flat_map(|series| &series.points)
            .filter_map(|(_, point)| match point {
                Point::Value(value) if *value > 0.0 => Some(*value),
                _ => None,
            });
    let (least, greatest) = values.fold((f64::INFINITY, 0.0_f64), |(least, greatest), value| {
        (least.min(value), greatest.max(value))
    });
    if greatest / least > WIDE {
        Scale::Log
    } else {
        Scale::Linear
    }
}

fn rate(analysis: &Analysis, columns: &Columns<'_>) -> Drawn {
    let series = vec![
        columns.counts("ok", Shape::Bar, 3, |second| second.ok),
        columns.counts("bad (fail + info)", Shape::Bar, 4, |second| {
            second.fail + second.info
        }),
        columns.counts("shed", Shape::Bar, 5, |second| second.shed),
        columns.counts("due", Shape::Step, 0, |second| second.due),
    ];
    Drawn {
        title: "Rate",
        caption: format!(
            "Operations by the second in which they were due, and how they ended.{}",
            columns.caption(true)
        ),
        svg: frame(
            analysis,
            "Operations a second over time",
            Unit::PerSecond,
            Scale::Linear,
            series,
        )
        .svg(),
        table: table(analysis, vec!["due", "ok", "bad", "shed"], |second| {
            vec![
                words::count(second.due),
                words::count(second.ok),
                words::count(second.fail + second.info),
                words::count(second.shed),
            ]
        }),
    }
}

fn errors(analysis: &Analysis, columns: &Columns<'_>) -> Drawn {
    let series = vec![
        columns.counts("fail (no effect)", Shape::Bar, 1, |second| second.fail),
        columns.counts("info (effect unknown)", Shape::Bar, 4, |second| second.info),
        columns.counts("shed (our own fault)", Shape::Bar, 5, |second| second.shed),
    ];
    Drawn {
        title: "Errors",
        caption: format!(
            "Operations that did not end ok, by the second in which they were due.{}",
            columns.caption(true)
        ),
        svg: frame(
            analysis,
            "Bad operations a second over time",
            Unit::PerSecond,
            Scale::Linear,
            series,
        )
        .svg(),
        table: table(analysis, vec!["fail", "info", "shed"], |second| {
            vec![
                words::count(second.fail),
                words::count(second.info),
                words::count(second.shed),
            ]
        }),
    }
}

fn slots(analysis: &Analysis, columns: &Columns<'_>) -> Drawn {
    let ready = analysis.series.iter().flat_map(|second| &second.ready);
    let roles: BTreeSet<&str> = ready.map(|(role, _)| role.as_str()).collect();
    let of = |second: &SecondStats, wanted: &str| {
        let ready = second.ready.iter().find(|(role, _)| role == wanted);
        ready.map(|(_, slots)| *slots)
    };
    let series = roles.iter().enumerate().map(|(number, role)| {
        columns.series(role, Shape::Step, number % 6, |chunk| {
            let least = chunk.iter().filter_map(|second| of(second, role)).min();
            least.map_or(Point::Nothing, |slots| Point::Value(f64::from(slots)))
        })
    });
    let series = series.collect();
    let rows = |second: &SecondStats| {
        let ready = second
            .ready
            .iter()
            .map(|(role, slots)| format!("{} {slots}", words::visible(role)));
        vec![ready.collect::<Vec<String>>().join(", ")]
    };
    Drawn {
        title: "Slots ready",
        caption: format!(
            "At the end of each second, by role.{}",
            columns.caption(false)
        ),
        svg: frame(
            analysis,
            "Slots ready by role over time",
            Unit::Count,
            Scale::Linear,
            series,
        )
        .svg(),
        table: table(analysis, vec!["ready"], rows),
    }
}

#[expect(clippy::cast_precision_loss, reason = "drawn to a tenth of a pixel")]
fn lag(analysis: &Analysis, columns: &Columns<'_>) -> Drawn {
    let series = vec![columns.series("lag p99", Shape::Line, 2, |chunk| {
        let greatest = chunk.iter().filter_map(|second| second.lag_p99_ns).max();
        greatest.map_or(Point::Nothing, |value| Point::Value(value as f64))
    })];
    let scale = scale(&series);
    Drawn {
        title: "The generator's own lag",
        caption: format!(
            "How late mcpload itself released operations, 99th percentile: what it adds to response times is no fault of the \
             fleet.{}",
            columns.caption(false)
        ),
        svg: frame(
            analysis,
            "Generator lag over time",
            Unit::Nanos,
            scale,
            series,
        )
        .svg(),
        table: table(analysis, vec!["lag p99"], |second| {
            vec![words::nanos_or_nothing(second.lag_p99_ns)]
        }),
    }
}
