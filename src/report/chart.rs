//! A small writer of charts over time as inline SVG, for the HTML report.
//!
//! Pure. It draws what it is given: lines with gaps, steps and stacked bars, over phases, fault bands and marks. A series is told
//! by its dashes, markers or hatching as well as by its colour; colours are CSS classes (`c0` to `c5`), so that a page can be
//! light or dark. Texts are escaped and bounded; labels of marks are set in lanes so that they do not overlap. Next:
//! `chart::axis` for the ticks, `report::html::charts` for what is drawn.

use super::words;

pub mod axis;
mod draw;

/// Width of the drawing, in its own units (CSS pixels at full size).
pub const WIDTH: f64 = 1000.0;
/// Height of the plot area.
pub(crate) const PLOT_HEIGHT: f64 = 200.0;
/// Left edge of the plot area; the value axis stands left of it.
pub(crate) const LEFT: f64 = 64.0;
/// Right edge of the plot area.
pub(crate) const RIGHT: f64 = WIDTH - 16.0;

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// The first and the last second of the time axis.
    pub seconds: (f64, f64),
    /// How values are set.
    pub scale: Scale,
    /// The unit of the values, written at the ticks.
    pub unit: Unit,
    /// The series; bars are stacked in this order, lines are drawn over them.
    pub series: Vec<Series>,
    /// The phases: start and end second, and name.
    pub phases: Vec<(f64, f64, String)>,
    /// Spans in which a fault was in force: start and end second.
    pub bands: Vec<(f64, f64)>,
    /// Moments.
    pub marks: Vec<Mark>,
}

/// How values are set along the value axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By their logarithm; values are above zero.
    Log,
}

/// The unit of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, written as time.
    Nanos,
    /// A number a second.
    PerSecond,
    /// A whole number of things.
    Count,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A line from point to point, with gaps.
    Line,
    /// A line that keeps each value until the next.
    Step,
    /// A bar for each point, stacked on the bars before.
    Bar,
}

/// A series of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name, for the legend.
    pub name: String,
    /// How it is drawn.
    pub shape: Shape,
    /// Its style, from 0 to 5: colour, dashes or hatching.
    pub style: usize,
    /// Start of the second, and its value.
    pub points: Vec<(f64, Point)>,
    /// The length of the time that a point stands for, in seconds.
    pub step: f64,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// This.
    Value(f64),
    /// There is none: a gap.
    Nothing,
    /// Beyond every value: a cross at the upper edge.
    Beyond,
}

/// A moment with a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When, in seconds.
    pub at: f64,
    /// What happened.
    pub label: String,
    /// How its line is drawn.
    pub stroke: Stroke,
}

/// How the line of a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// For what a fault did.
    Solid,
    /// For what was healed.
    Dashed,
    /// For what recovered by itself.
    Dotted,
}

impl Chart {
    /// The drawing as an `svg` element. Styles are left to the page (`report/html/page.html`).
    pub fn svg(&self) -> String {
        draw::svg(self)
    }

    /// The greatest value of the lines, and of the stacks of bars.
    fn greatest(&self) -> f64 {
        let lines = self
            .series
            .iter()
            .filter(|series| series.shape != Shape::Bar);
        let single = lines
            .flat_map(|series| &series.points)
            .filter_map(|(_, point)| point.value())
            .fold(0.0, f64::max);
        let bars: Vec<&Series> = self.bars().collect();
        let rows = bars
            .iter()
            .map(|series| series.points.len())
            .max()
            .unwrap_or(0);
        (0..rows)
            .map(|row| bars.iter().filter_map(|series| series.at(row)).sum())
            .fold(single, f64::max)
    }

    /// The least value above zero.
    fn least(&self) -> f64 {
        let points = self.series.iter().flat_map(|series| &series.points);
        points
            .filter_map(|(_, point)| point.value())
            .filter(|value| *value > 0.0)
            .fold(f64::INFINITY, f64::min)
    }

    fn bars(&self) -> impl Iterator<Item = &Series> {
        self.series
            .iter()
            .filter(|series| series.shape == Shape::Bar)
    }
}

impl Series {
    /// The value of the point number `row`.
    fn at(&self, row: usize) -> Option<f64> {
        self.points.get(row).and_then(|(_, point)| point.value())
    }
}

impl Point {
    /// The value, if it is finite.
    fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) if value.is_finite() => Some(value),
            Self::Value(_) | Self::Nothing | Self::Beyond => None,
        }
    }
}

impl Unit {
    /// A value as it stands at a tick.
    fn tick(self, value: f64) -> String {
        match self {
            Self::Nanos => {
                let (value, unit) = match value {
                    value if value >= 1e9 => (value / 1e9, "s"),
                    value if value >= 1e6 => (value / 1e6, "ms"),
                    value if value > 0.0 => (value / 1e3, "us"),
                    value => (value, ""),
                };
                // One place at most: ticks are 1, 2 or 5 times a power of ten.
                format!("{} {unit}", (value * 1000.0).round() / 1000.0)
                    .trim_end()
                    .to_owned()
            }
            Self::PerSecond if value > 0.0 => format!("{}/s", plain(value)),
            Self::PerSecond | Self::Count => plain(value),
        }
    }
}

/// A number with thousands separators where it is whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and within what a u64 holds"
)]
fn plain(value: f64) -> String {
    if (0.0..1e15).contains(&value) && value.fract() == 0.0 {
        words::count(value as u64)
    } else {
        format!("{}", (value * 1000.0).round() / 1000.0)
    }
}

/// Text for the content or an attribute of an XML element.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in words::visible(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
