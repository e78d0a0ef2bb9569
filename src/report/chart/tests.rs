//! What a chart must hold whatever it is given.

use super::*;

fn series(points: Vec<(f64, Point)>, shape: Shape) -> Series {
    Series {
        name: "p99".to_owned(),
        shape,
        style: 2,
        points,
        step: 1.0,
    }
}

fn chart(series: Vec<Series>, scale: Scale) -> Chart {
    Chart {
        title: "times".to_owned(),
        seconds: (0.0, 10.0),
        scale,
        unit: Unit::Nanos,
        series,
        phases: vec![
            (0.0, 5.0, "warm-up".to_owned()),
            (5.0, 10.0, "chaos".to_owned()),
        ],
        bands: vec![(6.0, 7.0)],
        marks: Vec::new(),
    }
}

fn mark(at: f64, label: &str) -> Mark {
    Mark {
        at,
        label: label.to_owned(),
        stroke: Stroke::Solid,
    }
}

#[test]
fn a_line_is_broken_at_a_gap_and_crossed_where_it_is_beyond() {
    let points = vec![
        (0.0, Point::Value(1e6)),
        (1.0, Point::Value(2e6)),
        (2.0, Point::Nothing),
        (3.0, Point::Value(3e6)),
        (4.0, Point::Beyond),
    ];
    let svg = chart(vec![series(points, Shape::Line)], Scale::Linear).svg();
    assert_eq!(svg.matches("class=\"beyond").count(), 1);
    assert_eq!(svg.matches("class=\"dot").count(), 1, "the lonely point");
    let path = svg.split("class=\"line c2\" d=\"").nth(1).unwrap();
    let path = path.split('"').next().unwrap();
    assert_eq!(
        (path.matches('M').count(), path.matches('L').count()),
        (2, 1)
    );
}

#[test]
fn stacked_bars_stand_on_each_other() {
    let one = series(vec![(0.0, Point::Value(3e6))], Shape::Bar);
    let chart = chart(vec![one.clone(), one], Scale::Linear);
    assert!((chart.greatest() - 6e6).abs() < f64::EPSILON);
}

#[test]
fn labels_of_marks_that_are_close_stand_in_different_lanes() {
    let mut chart = chart(Vec::new(), Scale::Linear);
    chart.marks = vec![
        mark(6.0, "one-dies began"),
        mark(6.1, "took effect"),
        mark(9.9, "at the very right edge"),
    ];
    let svg = chart.svg();
    let heights: Vec<&str> = svg
        .split("<g class=\"mark\">")
        .skip(1)
        .map(|group| {
            group
                .split("y1=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .collect();
    assert_ne!(heights[0], heights[1]);
    assert_eq!(svg.matches("text-anchor=\"end\"").count(), 1);
}

#[test]
fn nothing_and_nonsense_are_drawn_without_nonsense() {
    for scale in [Scale::Linear, Scale::Log] {
        let points = vec![
            (0.0, Point::Value(f64::NAN)),
            (f64::NAN, Point::Value(f64::INFINITY)),
            (1.0, Point::Value(-5.0)),
        ];
        let mut chart = chart(
            vec![series(points, Shape::Bar), series(Vec::new(), Shape::Step)],
            scale,
        );
        chart.seconds = (0.0, 0.0);
        chart.marks = vec![mark(f64::NAN, "never"); 100];
        let svg = chart.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn foreign_names_cannot_leave_their_text() {
    let mut chart = chart(vec![series(Vec::new(), Shape::Line)], Scale::Linear);
    let hostile = "\"><script>alert(1)</script>\u{1b}&'";
    chart.title = hostile.to_owned();
    chart.phases[0].2 = hostile.to_owned();
    chart.marks = vec![mark(1.0, hostile)];
    chart.series[0].name = hostile.to_owned();
    let svg = chart.svg();
    assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
}

#[test]
fn ticks_have_units() {
    for (unit, value, text) in [
        (Unit::Nanos, 0.0, "0"),
        (Unit::Nanos, 5e5, "500 us"),
        (Unit::Nanos, 2e6, "2 ms"),
        (Unit::Nanos, 1.5e9, "1.5 s"),
        (Unit::PerSecond, 1500.0, "1,500/s"),
        (Unit::Count, 4.0, "4"),
    ] {
        assert_eq!(unit.tick(value), text);
    }
}
