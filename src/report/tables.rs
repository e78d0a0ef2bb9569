//! The tables of a report, as text cells: what the terminal, Markdown and HTML formats lay out, each in its own way.
//!
//! Pure. Cells hold foreign text already made visible on one line (`words::visible`), but not escaped for any format: the
//! formats do that. Every number has its unit in the cell or in the column's name. Next: `tables::load`, `tables::faults`,
//! `tables::fleet`.

use crate::analysis::FaultStats;
use crate::report::Report;

pub mod faults;
pub mod fleet;
pub mod load;
pub mod trials;

/// How the cells of a column are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit where cells do not say it.
    pub name: &'static str,
    /// How its cells are set.
    pub align: Align,
}

/// A column of words.
pub(crate) const fn words(name: &'static str) -> Column {
    Column {
        name,
        align: Align::Left,
    }
}

/// A column of numbers.
pub(crate) const fn number(name: &'static str) -> Column {
    Column {
        name,
        align: Align::Right,
    }
}

/// A table with what has to be known to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it is of.
    pub title: String,
    /// The columns; the first one names the row.
    pub columns: Vec<Column>,
    /// The rows, each with a cell for each column.
    pub rows: Vec<Vec<String>>,
    /// Sentences that belong below it.
    pub notes: Vec<String>,
}

/// Every table of the report that has rows, in the order of documents: phases, objectives, operations, faults, slots, errors.
pub fn all(report: &Report) -> Vec<Table> {
    let analysis = &report.analysis;
    let mut tables = vec![
        load::phases(analysis),
        load::objectives(analysis),
        load::operations(analysis),
    ];
    let repeated =
        |fault: &FaultStats| analysis.trials.iter().find(|known| known.fault == fault.of);
    for fault in &analysis.faults {
        match repeated(fault) {
            None => tables.push(faults::time_line(fault)),
            Some(stats) if fault.trial == 1 => {
                tables.push(trials::trials(stats, &analysis.faults));
            }
            Some(_) => {}
        }
    }
    tables.push(fleet::slots(analysis));
    tables.push(fleet::errors(analysis));
    tables.retain(|table| !table.rows.is_empty());
    tables
}
