//! The report for a terminal, and `report.txt` without colour.
//!
//! Pure. It reads the same without colour: every colour stands beside a word. The caller decides on colour and width. A table
//! that is wider than the terminal is set in blocks of columns, each with the first column again; nothing is cut but long cells.

use tabled::builder::Builder;
use tabled::grid::util::string::get_string_width;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::style::HorizontalLine;
use tabled::settings::{Alignment, Modify, Padding, Style};

use super::tables::{self, Align, Table};
use super::{RenderError, Report, Reporter, words};
use crate::check::{Answer, Finding};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of its file.
pub const FILE: &str = "report.txt";
/// The width of `report.txt`, in columns.
pub const FILE_WIDTH: usize = 120;
/// The least width that is laid out for, in columns.
const LEAST_WIDTH: usize = 60;
/// The longest line of a cell, in characters; a longer text is set in several.
const LONGEST_LINE: usize = 56;
/// The longest text of a cell, in characters; what is beyond is cut, and stands in `summary.json`.
const LONGEST_CELL: usize = 400;
/// Spaces between the columns of a table.
const GAP: usize = 2;

struct Text;

impl Reporter for Text {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        let text = render(report, FILE_WIDTH, false);
        Ok(vec![(FILE, text.into_bytes())])
    }
}

/// The whole report for a terminal of `width` columns; ends in a line end.
pub fn render(report: &Report, width: usize, color: bool) -> String {
    let width = width.max(LEAST_WIDTH);
    let mut page = Page {
        text: String::new(),
        width,
        color,
    };
    page.verdict(report);
    page.findings(report);
    for table in tables::all(report) {
        page.table(&table);
    }
    page.validity(report);
    page.directions(report);
    page.text
}

/// Tables alone, for a terminal of `width` columns.
pub fn tables(tables: &[Table], width: usize, color: bool) -> String {
    let mut page = Page {
        text: String::new(),
        width: width.max(LEAST_WIDTH),
        color,
    };
    for table in tables {
        page.table(table);
    }
    page.text
}

/// What is written so far.
struct Page {
    text: String,
    width: usize,
    color: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A paragraph, its first line begun with `lead` and the others indented as far.
    fn paragraph(&mut self, indent: usize, text: &str) {
        let pad = " ".repeat(indent);
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.line(&format!("{pad}{line}"));
        }
    }

    fn heading(&mut self, title: &str) {
        let title = self.paint(title, "1");
        self.line("");
        self.line(&title);
    }

    /// `text` in the style of a `Select Graphic Rendition` code, if there is colour.
    fn paint(&self, text: &str, code: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn answer(&self, answer: Answer) -> String {
        let code = match answer {
            Answer::Pass => "1;32",
            Answer::Inconclusive => "1;33",
            Answer::Fail => "1;31",
        };
        self.paint(words::capitals(answer), code)
    }

    fn verdict(&mut self, report: &Report) {
        let verdict = &report.verdict;
        let word = self.answer(verdict.answer);
        // The headline is not wrapped: the verdict is one line, for people and for grep.
        self.line(&format!(
            "{word} (exit code {}): {}",
            verdict.exit,
            words::visible(&verdict.headline)
        ));
        let run = &report.analysis.run;
        self.paragraph(
            0,
            &format!(
                "{} · run {} · seed {} · mcpload {} · {}",
                words::visible(&run.name),
                words::visible(&run.id),
                run.seed.0,
                words::visible(&run.tool),
                words::visible(&run.started),
            ),
        );
        let whole = &report.analysis.measured;
        self.paragraph(
            0,
            &format!(
                "measured: {} due, {} ok, {} bad ({}), of these {} shed; {}",
                words::plural(whole.due, "operation"),
                words::count(whole.ok),
                words::count(whole.bad()),
                words::share(whole.bad(), whole.due),
                words::count(whole.shed),
                words::plural(whole.calls, "call"),
            ),
        );
    }

    fn findings(&mut self, report: &Report) {
        self.heading("Findings");
        if report.findings.is_empty() {
            self.line("  none: the scenario promises nothing");
        }
        for finding in &report.findings {
            self.finding(finding);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let word = self.answer(finding.answer);
        let pad = " ".repeat("INCONCLUSIVE".len() - words::capitals(finding.answer).len());
        let indent = 2 + "INCONCLUSIVE".len() + 2;
        let text = format!(
            "{}: {}",
            words::visible(&finding.name),
            words::visible(&finding.headline)
        );
        for (number, line) in wrap(&text, self.width - indent).into_iter().enumerate() {
            if number == 0 {
                self.line(&format!("  {word}{pad}  {line}"));
            } else {
                self.line(&format!("{}{line}", " ".repeat(indent)));
            }
        }
        // A pass is answered by its headline; what is not one is explained.
        if finding.answer != Answer::Pass {
            for line in &finding.evidence {
                self.paragraph(indent + 2, &words::visible(line));
            }
        }
        let line = match finding.line {
            0 => String::new(),
            line => format!(", scenario line {line}"),
        };
        self.paragraph(
            indent + 2,
            &format!("{}{line}", words::plural(finding.samples, "sample")),
        );
    }

    fn table(&mut self, table: &Table) {
        self.heading(&table.title);
        for (number, block) in blocks(table, self.width - 3).into_iter().enumerate() {
            if number > 0 {
                self.line("");
            }
            for line in block.lines() {
                self.line(&format!("  {line}"));
            }
        }
        for note in &table.notes {
            self.paragraph(2, note);
        }
    }

    fn validity(&mut self, report: &Report) {
        let analysis = &report.analysis;
        self.heading("Validity");
        self.paragraph(2, &format!("Ending: {}.", words::ending(analysis.ending)));
        if let Some(steady) = &analysis.steady {
            let word = if steady.steady {
                "steady"
            } else {
                "not steady"
            };
            self.paragraph(
                2,
                &format!(
                    "Steady state: {word} at {}: {} of {} ok.",
                    words::moment(steady.at),
                    words::count(steady.good),
                    words::plural(steady.total, "operation"),
                ),
            );
        }
        for (worker, reason) in &analysis.lost_workers {
            self.paragraph(
                2,
                &format!("Worker {worker} was lost: {}.", words::visible(reason)),
            );
        }
        if analysis.whole.unrecorded > 0 {
            let rows = words::plural(analysis.whole.unrecorded, "row");
            self.paragraph(2, &format!("Not recorded: {rows} of calls."));
        }
        for trouble in &analysis.troubles {
            self.paragraph(2, &format!("Trouble: {}.", words::visible(trouble)));
        }
        for damage in &analysis.damage {
            self.paragraph(2, &format!("Damage: {}.", words::visible(damage)));
        }
        if analysis.cookies > 0 {
            let answers = words::plural(analysis.cookies, "answer");
            self.paragraph(
                2,
                &format!("Cookies: {answers} set one. MCP clients keep none, so an affinity by cookie does not hold for them."),
            );
        }
        let sessions = &analysis.sessions;
        self.paragraph(
            2,
            &format!(
                "Sessions (2025-11-25 and before): {} established, {} lost, {} re-established, {} failed, {} closed.",
                words::count(sessions.born),
                words::count(sessions.lost),
                words::count(sessions.re_established),
                words::count(sessions.failed),
                words::count(sessions.closed),
            ),
        );
        if sessions.abandoned > 0 {
            let left = words::plural(sessions.abandoned, "session");
            self.paragraph(2, &format!("Left without a word: {left}."));
        }
        if sessions.streams + sessions.streams_cut > 0 {
            self.paragraph(
                2,
                &format!(
                    "Streams: {} opened, {} cut, {} resumed; {} missed and {} doubled on them.",
                    words::count(sessions.streams),
                    words::count(sessions.streams_cut),
                    words::count(sessions.resumed),
                    words::plural(sessions.missed, "message"),
                    words::count(sessions.doubled),
                ),
            );
        }
    }

    fn directions(&mut self, report: &Report) {
        let run = &report.analysis.run;
        let host = &run.host;
        self.heading("Run");
        self.paragraph(
            2,
            &format!(
                "Load came from {}, {} of {}, {} memory, {} open files.",
                words::visible(&host.kernel),
                words::plural(u64::from(host.cores), "core"),
                words::visible(&host.processor),
                words::bytes(host.memory_bytes),
                words::count(host.open_files),
            ),
        );
        let id = words::visible(&run.id);
        self.line(&format!("  run directory  {id}"));
        self.line("  judge again    mcpload report .   (in the run directory)");
        let source = words::visible(&run.source);
        if !source.starts_with('-') {
            self.line(&format!(
                "  run again      mcpload run {source} --seed {}",
                run.seed.0
            ));
        }
    }
}

/// `text` in lines of at most `width` columns, broken at spaces; a longer word is broken where it must.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(20);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = width.saturating_sub(get_string_width(&line) + 1);
        if !line.is_empty() && get_string_width(word) > room {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if get_string_width(&line) >= width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

/// The table, in as many blocks of columns as the width asks for.
fn blocks(table: &Table, width: usize) -> Vec<String> {
    let longest = |number: usize, limit: usize| {
        let cells = table.rows.iter().filter_map(|row| row.get(number));
        let widest = cells.map(|cell| get_string_width(cell)).max();
        widest.unwrap_or(0).min(limit)
    };
    // Every block begins with the first column, so that a cell beside it has what is left of the line.
    let first = longest(0, LONGEST_LINE).min(width / 2);
    let limit = LONGEST_LINE.min(width.saturating_sub(first + GAP));
    let cells: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            let limits = std::iter::once(first).chain(std::iter::repeat(limit));
            row.iter()
                .zip(limits)
                .map(|(cell, limit)| fold(cell, limit))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = table
        .columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let cells = cells.iter().filter_map(|row| row.get(number));
            let lines = cells.flat_map(|cell| cell.lines());
            let widest = lines.map(get_string_width).max().unwrap_or(0);
            widest.max(get_string_width(column.name))
        })
        .collect();
    pack(&widths, width)
        .into_iter()
        .map(|columns| block(table, &cells, &columns))
        .collect()
}

/// A cell in lines of at most `width` columns.
fn fold(cell: &str, width: usize) -> String {
    wrap(&words::shortened(cell, LONGEST_CELL), width).join("\n")
}

/// Which columns stand in which block: the first column in each, and as many others as there is room for (at least one).
fn pack(widths: &[usize], width: usize) -> Vec<Vec<usize>> {
    let first = widths.first().copied().unwrap_or(0);
    let mut blocks = Vec::new();
    let mut block = vec![0];
    let mut used = first;
    for (number, column) in widths.iter().enumerate().skip(1) {
        if block.len() > 1 && used + GAP + column > width {
            blocks.push(std::mem::replace(&mut block, vec![0]));
            used = first;
        }
        block.push(number);
        used += GAP + column;
    }
    blocks.push(block);
    blocks
}

fn block(table: &Table, cells: &[Vec<String>], columns: &[usize]) -> String {
    let mut builder = Builder::default();
    let names = columns
        .iter()
        .filter_map(|number| table.columns.get(*number));
    builder.push_record(names.map(|column| column.name));
    for row in cells {
        builder.push_record(columns.iter().filter_map(|number| row.get(*number)));
    }
    let mut set = builder.build();
    let rule = HorizontalLine::new('─').intersection('─');
    // The style sets one space between columns; the padding is the rest of the gap.
    set.with(Style::blank().horizontals([(1, rule)]));
    set.with(Padding::new(0, GAP - 1, 0, 0));
    for (place, number) in columns.iter().enumerate() {
        let right = table
            .columns
            .get(*number)
            .is_some_and(|column| column.align == Align::Right);
        if right {
            set.with(Modify::new(Columns::one(place)).with(Alignment::right()));
        }
    }
    set.with(Modify::new(Rows::first()).with(Alignment::bottom()));
    set.to_string()
}

/// The report as text.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "text",
        summary: "the report as plain text, as the terminal shows it: report/report.txt",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Text)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_words_only_where_they_must() {
        assert_eq!(
            wrap("the quick brown fox jumps over", 20),
            ["the quick brown fox", "jumps over"]
        );
        let long = "x".repeat(50);
        assert_eq!(
            wrap(&long, 20).iter().map(String::len).collect::<Vec<_>>(),
            [20, 20, 10]
        );
        assert_eq!(wrap("", 20), [""]);
    }

    #[test]
    fn columns_that_do_not_fit_stand_in_further_blocks_with_the_first_one() {
        assert_eq!(pack(&[5, 10, 10, 10], 100), [vec![0, 1, 2, 3]]);
        assert_eq!(pack(&[5, 10, 10, 10], 30), [vec![0, 1, 2], vec![0, 3]]);
        assert_eq!(pack(&[5, 90, 90], 30), [vec![0, 1], vec![0, 2]]);
    }
}
