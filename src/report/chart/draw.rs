//! Draws a [`Chart`]: axes, bands, marks in lanes, series, legend.
//!
//! Pure. Coordinates have one decimal, so that the same chart is the same text everywhere. From top to bottom: legend, lanes
//! of marks, names of phases, plot, time axis.

use std::fmt::Write as _;

use super::{
    Chart, LEFT, Mark, PLOT_HEIGHT, Point, RIGHT, Scale, Series, Shape, Stroke, Unit, WIDTH, axis,
    escape,
};
use crate::report::words;

/// Height of a line of text.
const LINE: f64 = 15.0;
/// Estimated width of a character of a label.
const CHARACTER: f64 = 6.4;
/// The most lanes of marks; labels beyond them are left to the pointer (`title`).
const MOST_LANES: usize = 5;
/// The most characters of a label.
const LONGEST_LABEL: usize = 40;
/// The most marks that are drawn.
const MOST_MARKS: usize = 60;

/// What is needed to set a point.
struct Frame<'a> {
    chart: &'a Chart,
    ticks: Vec<f64>,
    top: f64,
}

impl Frame<'_> {
    fn x(&self, second: f64) -> f64 {
        let (from, to) = self.chart.seconds;
        let length = if to > from { to - from } else { 1.0 };
        LEFT + ((second - from) / length).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let low = self.ticks.first().copied().unwrap_or(0.0);
        let high = self.ticks.last().copied().unwrap_or(1.0);
        let part = match self.chart.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value.max(low) / low).ln() / (high / low).ln(),
        };
        self.top + (1.0 - part.clamp(0.0, 1.0)) * PLOT_HEIGHT
    }

    fn bottom(&self) -> f64 {
        self.top + PLOT_HEIGHT
    }
}

/// The chart as an `svg` element.
pub(super) fn svg(chart: &Chart) -> String {
    let marks: Vec<&Mark> = chart
        .marks
        .iter()
        .filter(|mark| mark.at.is_finite())
        .take(MOST_MARKS)
        .collect();
    let frame = Frame {
        chart,
        ticks: match chart.scale {
            Scale::Linear => axis::linear(chart.greatest(), 4, chart.unit == Unit::Count),
            Scale::Log => axis::logarithmic(chart.least(), chart.greatest()),
        },
        top: 0.0,
    };
    let lanes = lanes(&frame, &marks);
    let used = lanes.iter().flatten().max().map_or(0, |lane| lane + 1);
    let legend = LINE + 6.0;
    #[expect(clippy::cast_precision_loss, reason = "at most five lanes")]
    let top = legend + used as f64 * LINE + LINE + 6.0;
    let frame = Frame { top, ..frame };
    let height = frame.bottom() + 2.0 * LINE + 4.0;
    let mut out = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(&chart.title)
    );
    ground(&mut out, &frame);
    value_axis(&mut out, &frame);
    time_axis(&mut out, &frame);
    stack(&mut out, &frame);
    for series in &chart.series {
        match series.shape {
            Shape::Line => line(&mut out, &frame, series),
            Shape::Step => step(&mut out, &frame, series),
            Shape::Bar => {}
        }
    }
    draw_marks(&mut out, &frame, &marks, &lanes, legend);
    draw_legend(&mut out, chart);
    out.push_str("</svg>");
    out
}

/// Phases as alternating ground with their names, and the spans of faults.
fn ground(out: &mut String, frame: &Frame<'_>) {
    for (number, (from, to, name)) in frame.chart.phases.iter().enumerate() {
        let (left, right) = (frame.x(*from), frame.x(*to));
        let class = if number % 2 == 0 {
            "phase"
        } else {
            "phase odd"
        };
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            frame.top - LINE - 2.0,
            (right - left).max(0.0),
            PLOT_HEIGHT + LINE + 2.0
        );
        let room = fitting(right - left - 8.0);
        if room >= 3 {
            let _ = write!(
                out,
                "<text class=\"phase-name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left + 5.0,
                frame.top - 4.0,
                escape(&words::shortened(&words::visible(name), room))
            );
        }
    }
    for (from, to) in &frame.chart.bands {
        let (left, right) = (frame.x(*from), frame.x(*to));
        let _ = write!(
            out,
            "<rect class=\"fault\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{PLOT_HEIGHT:.1}\"/>",
            frame.top,
            (right - left).max(1.0)
        );
    }
}

/// How many characters fit into this width.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded by the width of the drawing"
)]
fn fitting(width: f64) -> usize {
    (width.clamp(0.0, WIDTH) / CHARACTER) as usize
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a label has at most 40 characters"
)]
fn label_width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

fn value_axis(out: &mut String, frame: &Frame<'_>) {
    for tick in &frame.ticks {
        let y = frame.y(*tick);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>\
             <text class=\"tick value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            escape(&frame.chart.unit.tick(*tick))
        );
    }
}

fn time_axis(out: &mut String, frame: &Frame<'_>) {
    let (from, to) = frame.chart.seconds;
    let bottom = frame.bottom();
    for tick in axis::within(from, to, 12) {
        let x = frame.x(tick);
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{x:.1}\" y1=\"{bottom:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>\
             <text class=\"tick time\" x=\"{x:.1}\" y=\"{:.1}\">{} s</text>",
            bottom + 4.0,
            bottom + 4.0 + LINE,
            (tick * 1000.0).round() / 1000.0
        );
    }
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom:.1}\" x2=\"{RIGHT}\" y2=\"{bottom:.1}\"/>"
    );
}

/// The bars, each series on those before it.
fn stack(out: &mut String, frame: &Frame<'_>) {
    let bars: Vec<&Series> = frame.chart.bars().collect();
    let rows = bars
        .iter()
        .map(|series| series.points.len())
        .max()
        .unwrap_or(0);
    let mut base = vec![0.0; rows];
    for series in bars {
        let mut path = String::new();
        for ((second, point), base) in series.points.iter().zip(base.iter_mut()) {
            let Some(value) = point.value().filter(|value| *value > 0.0) else {
                continue;
            };
            let (left, right) = (frame.x(*second), frame.x(second + series.step));
            // A gap between bars only where there is room for one.
            let gap = if right - left > 6.0 { 1.0 } else { 0.0 };
            let (low, high) = (frame.y(*base), frame.y(*base + value));
            *base += value;
            let _ = write!(
                path,
                "M{:.1} {low:.1}V{high:.1}H{:.1}V{low:.1}Z",
                left + gap,
                right - gap
            );
        }
        if !path.is_empty() {
            let _ = write!(
                out,
                "<path class=\"bar c{style}\" d=\"{path}\"/><path class=\"bar hatch h{style}\" d=\"{path}\"/>",
                style = series.style
            );
        }
    }
}

/// A line through the middles of the seconds, broken at gaps; a single point is a dot, one beyond every value a cross.
fn line(out: &mut String, frame: &Frame<'_>, series: &Series) {
    let mut path = String::new();
    let mut dots = String::new();
    let mut drawing = false;
    let values: Vec<Option<f64>> = series
        .points
        .iter()
        .map(|(_, point)| point.value())
        .collect();
    for (number, (second, point)) in series.points.iter().enumerate() {
        let x = frame.x(second + series.step / 2.0);
        let Some(value) = point.value() else {
            drawing = false;
            if *point == Point::Beyond {
                // Each style has its own height, so that the crosses of several series do not hide each other.
                #[expect(clippy::cast_precision_loss, reason = "a style is at most 5")]
                let y = frame.top + 6.0 + 9.0 * series.style as f64;
                let _ = write!(
                    dots,
                    "<path class=\"beyond c{}\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"/>",
                    series.style,
                    x - 3.0,
                    y - 3.0
                );
            }
            continue;
        };
        let y = frame.y(value);
        let command = if drawing { 'L' } else { 'M' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
        let next = values.get(number + 1).copied().flatten();
        if !drawing && next.is_none() {
            let _ = write!(
                dots,
                "<circle class=\"dot c{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>",
                series.style
            );
        }
        drawing = true;
    }
    if !path.is_empty() {
        let _ = write!(out, "<path class=\"line c{}\" d=\"{path}\"/>", series.style);
    }
    out.push_str(&dots);
}

fn step(out: &mut String, frame: &Frame<'_>, series: &Series) {
    let mut path = String::new();
    let mut drawing = false;
    for (second, point) in &series.points {
        let Some(value) = point.value() else {
            drawing = false;
            continue;
        };
        let (left, right, y) = (
            frame.x(*second),
            frame.x(second + series.step),
            frame.y(value),
        );
        if drawing {
            let _ = write!(path, "V{y:.1}H{right:.1}");
        } else {
            let _ = write!(path, "M{left:.1} {y:.1}H{right:.1}");
        }
        drawing = true;
    }
    if !path.is_empty() {
        let _ = write!(out, "<path class=\"line c{}\" d=\"{path}\"/>", series.style);
    }
}

/// The lane of each mark's label, from 0; `None` where there is no room.
fn lanes(frame: &Frame<'_>, marks: &[&Mark]) -> Vec<Option<usize>> {
    let mut ends: Vec<Vec<(f64, f64)>> = Vec::new();
    marks
        .iter()
        .map(|mark| {
            let (left, right) = label_span(frame, mark);
            let free = (0..MOST_LANES).find(|lane| {
                ends.get(*lane).is_none_or(|spans| {
                    spans
                        .iter()
                        .all(|(from, to)| right + 10.0 < *from || *to + 10.0 < left)
                })
            })?;
            if ends.len() <= free {
                ends.resize(free + 1, Vec::new());
            }
            if let Some(spans) = ends.get_mut(free) {
                spans.push((left, right));
            }
            Some(free)
        })
        .collect()
}

/// Where the label of a mark stands: right of its line, or left of it at the right edge.
fn label_span(frame: &Frame<'_>, mark: &Mark) -> (f64, f64) {
    let x = frame.x(mark.at);
    let width = label_width(&label(mark)) + 5.0;
    if x + width > RIGHT {
        (x - width, x)
    } else {
        (x, x + width)
    }
}

fn label(mark: &Mark) -> String {
    words::shortened(&words::visible(&mark.label), LONGEST_LABEL)
}

fn draw_marks(
    out: &mut String,
    frame: &Frame<'_>,
    marks: &[&Mark],
    lanes: &[Option<usize>],
    legend: f64,
) {
    for (mark, lane) in marks.iter().zip(lanes) {
        let x = frame.x(mark.at);
        let class = match mark.stroke {
            Stroke::Solid => "mark",
            Stroke::Dashed => "mark dashed",
            Stroke::Dotted => "mark dotted",
        };
        #[expect(clippy::cast_precision_loss, reason = "at most five lanes")]
        let y = lane.map_or(frame.top, |lane| legend + lane as f64 * LINE);
        let _ = write!(
            out,
            "<g class=\"{class}\"><title>{}</title><line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\"/>",
            escape(&mark.label),
            frame.bottom()
        );
        if lane.is_some() {
            let (left, _) = label_span(frame, mark);
            let (at, anchor) = if left < x {
                (x - 5.0, "end")
            } else {
                (x + 5.0, "start")
            };
            let _ = write!(
                out,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                y + LINE - 4.0,
                escape(&label(mark))
            );
        }
        out.push_str("</g>");
    }
}

fn draw_legend(out: &mut String, chart: &Chart) {
    let mut x = LEFT;
    for series in &chart.series {
        let name = words::shortened(&words::visible(&series.name), LONGEST_LABEL);
        let style = series.style;
        let _ = match series.shape {
            Shape::Bar => write!(
                out,
                "<rect class=\"bar c{style}\" x=\"{x:.1}\" y=\"2\" width=\"22\" height=\"11\"/>\
                 <rect class=\"bar hatch h{style}\" x=\"{x:.1}\" y=\"2\" width=\"22\" height=\"11\"/>"
            ),
            Shape::Line | Shape::Step => {
                write!(out, "<path class=\"line c{style}\" d=\"M{x:.1} 7.5h22\"/>")
            }
        };
        let _ = write!(
            out,
            "<text class=\"legend\" x=\"{:.1}\" y=\"12\">{}</text>",
            x + 28.0,
            escape(&name)
        );
        x += 28.0 + label_width(&name) + 22.0;
    }
}
