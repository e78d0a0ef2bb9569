//! `report.md`: for comments in a review, and for people who read it as it is.
//!
//! Pure. Every foreign character that Markdown, its tables or HTML could take for markup is escaped; `@` and `://` are broken up
//! by an empty comment, so that nobody is mentioned and nothing is linked by what a server said.

use std::fmt::Write as _;

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Modify, Style};

use super::tables::{self, Align, Table};
use super::{RenderError, Report, Reporter, words};
use crate::check::{Answer, Finding};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of its file.
pub const FILE: &str = "report.md";

struct Markdown;

impl Reporter for Markdown {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        Ok(vec![(FILE, render(report).into_bytes())])
    }
}

/// The whole report in Markdown (GitHub's tables); ends in a line end.
pub fn render(report: &Report) -> String {
    let verdict = &report.verdict;
    let run = &report.analysis.run;
    let mut page = format!(
        "## {} {}: mcpload {}\n\n{}\n\n",
        mark(verdict.answer),
        words::capitals(verdict.answer),
        escape(&run.name),
        escape(&verdict.headline),
    );
    let measured = &report.analysis.measured;
    let _ = writeln!(
        page,
        "Exit code {}. Run {}, seed {}, mcpload {}, started {}. {} due, {} ok, {} bad ({}).\n",
        verdict.exit,
        escape(&run.id),
        run.seed.0,
        escape(&run.tool),
        escape(&run.started),
        words::plural(measured.due, "operation"),
        words::count(measured.ok),
        words::count(measured.bad()),
        words::share(measured.bad(), measured.due),
    );
    page.push_str("### Findings\n\n");
    page.push_str(&set(&finding_table(&report.findings)));
    let explained = report
        .findings
        .iter()
        .filter(|finding| finding.answer != Answer::Pass);
    for finding in explained {
        evidence(&mut page, finding);
    }
    page.push_str("<details>\n<summary>Numbers</summary>\n\n");
    for table in tables::all(report) {
        let _ = writeln!(page, "#### {}\n", escape(&table.title));
        page.push_str(&set(&table));
    }
    let _ = writeln!(
        page,
        "#### Validity\n\nEnding: {}.\n\n</details>\n",
        words::ending(report.analysis.ending)
    );
    let analysis = &report.analysis;
    let troubles = analysis.troubles.iter().map(|text| ("Trouble", text));
    let damage = analysis.damage.iter().map(|text| ("Damage", text));
    for (what, text) in troubles.chain(damage) {
        let _ = writeln!(page, "- {what}: {}", escape(text));
    }
    if !(analysis.troubles.is_empty() && analysis.damage.is_empty()) {
        page.push('\n');
    }
    let _ = writeln!(page, "Judge again: mcpload report {}", escape(&run.id));
    page
}

/// A mark that is seen at a glance; the word stands beside it.
const fn mark(answer: Answer) -> &'static str {
    match answer {
        Answer::Pass => "✅",
        Answer::Inconclusive => "⚠️",
        Answer::Fail => "❌",
    }
}

fn finding_table(findings: &[Finding]) -> Table {
    let rows = findings.iter().map(|finding| {
        vec![
            words::capitals(finding.answer).to_owned(),
            words::visible(&finding.name),
            words::visible(&finding.headline),
            words::count(finding.samples),
        ]
    });
    let mut notes = Vec::new();
    if findings.is_empty() {
        notes.push("None: the scenario promises nothing.".to_owned());
    }
    Table {
        title: "Findings".to_owned(),
        columns: vec![
            tables::words("answer"),
            tables::words("check"),
            tables::words("what was found"),
            tables::number("samples"),
        ],
        rows: rows.collect(),
        notes,
    }
}

fn evidence(page: &mut String, finding: &Finding) {
    let open = if finding.answer == Answer::Fail {
        " open"
    } else {
        ""
    };
    // A name inside of `summary` would be HTML, not Markdown; below it the one escaping holds for all.
    let _ = writeln!(
        page,
        "<details{open}>\n<summary>{}: evidence</summary>\n\n{}:\n",
        words::capitals(finding.answer),
        escape(&finding.name)
    );
    for line in &finding.evidence {
        let _ = writeln!(page, "- {}", escape(line));
    }
    if finding.line > 0 {
        let _ = writeln!(page, "- scenario line {}", finding.line);
    }
    page.push_str("\n</details>\n\n");
}

/// A table and its notes.
fn set(table: &Table) -> String {
    let mut builder = Builder::default();
    builder.push_record(table.columns.iter().map(|column| column.name.to_owned()));
    for row in &table.rows {
        builder.push_record(row.iter().map(|cell| escape(cell)));
    }
    let mut built = builder.build();
    built.with(Style::markdown());
    for (place, column) in table.columns.iter().enumerate() {
        if column.align == Align::Right {
            built.with(Modify::new(Columns::one(place)).with(Alignment::right()));
        }
    }
    let mut text = format!("{built}\n\n");
    for note in &table.notes {
        // Notes are escaped like cells: they name phases, reasons and slots.
        let _ = writeln!(text, "{}\n", escape(note));
    }
    text
}

/// Foreign text as Markdown that shows it as it is, on one line.
pub(crate) fn escape(text: &str) -> String {
    let visible = words::visible(text);
    let mut escaped = String::with_capacity(visible.len());
    for (place, character) in visible.char_indices() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("@<!-- -->"),
            ':' if visible
                .get(place + 1..)
                .is_some_and(|rest| rest.starts_with("//")) =>
            {
                escaped.push_str(":<!-- -->");
            }
            '.' if visible
                .get(..place)
                .is_some_and(|before| before.to_lowercase().ends_with("www")) =>
            {
                escaped.push_str(".<!-- -->");
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The report as Markdown.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "markdown",
        summary: "the report for a comment in a review: report/report.md",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Markdown)),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_markup_is_shown_as_it_is() {
        for (text, escaped) in [
            ("a|b\nc", r"a\|b\\nc"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("[x](javascript:1)", r"\[x\](javascript:1)"),
            (
                "@team https://x www.y",
                "@<!-- -->team https:<!-- -->//x www.<!-- -->y",
            ),
            ("server-2#1", r"server-2\#1"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }
}
