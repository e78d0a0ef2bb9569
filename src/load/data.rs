//! Data files: CSV whose rows fill in arguments (`{{ data.NAME.COLUMN }}`), and which row an arrival takes.
//!
//! Pure: whoever has the bytes hands them in. The scenario's reader holds a file to this form before a run, and a worker reads
//! the copy in the run directory with the same code. Bounds: [`LARGEST`] bytes, [`MOST_ROWS`] rows, [`MOST_COLUMNS`] columns.

use std::collections::BTreeSet;

use thiserror::Error;

use super::draw::below;
use crate::model::Seed;
use crate::model::seed::Purpose;
use crate::plan::{Pick, WorkloadPlan};

/// The largest file, bytes.
pub const LARGEST: usize = 64 << 20;
/// The most rows, beside the names of the columns.
pub const MOST_ROWS: usize = 1_000_000;
/// The most columns.
pub const MOST_COLUMNS: usize = 256;

/// The rows of a data file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataTable {
    columns: Vec<String>,
    /// Every cell, one after the other.
    text: String,
    /// Where each cell ends in `text`, row by row.
    ends: Vec<u32>,
}

/// Why a file is no table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    /// It is too large.
    #[error("it has {0} bytes, at most {LARGEST} are read")]
    TooLarge(usize),
    /// It has too many rows.
    #[error("it has more than {MOST_ROWS} rows")]
    TooManyRows,
    /// It has too many columns.
    #[error("it has {0} columns, at most {MOST_COLUMNS} are read")]
    TooManyColumns(usize),
    /// It has no row beside the names of the columns.
    #[error("it has no rows; the first line names the columns")]
    NoRows,
    /// A row is shorter or longer than the first line.
    #[error("line {line} has {has} fields, the first has {expected}")]
    Ragged {
        /// The line, from 1.
        line: u64,
        /// Its fields.
        has: u64,
        /// The fields of the first line.
        expected: u64,
    },
    /// Something in it is no text.
    #[error("line {0} is not UTF-8")]
    NotUtf8(u64),
    /// A column has no name, or one that a template cannot hold.
    #[error("column {0} has no name, or one with braces in it")]
    ColumnName(usize),
    /// Two columns have the same name.
    #[error("two columns are called {0:?}")]
    DuplicateColumn(String),
    /// The CSV reader gave up.
    #[error("it is no CSV")]
    Form,
}

impl DataTable {
    /// Reads CSV (RFC 4180) whose first line names the columns.
    ///
    /// # Errors
    /// If it is no table, or beyond the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, DataError> {
        if bytes.len() > LARGEST {
            return Err(DataError::TooLarge(bytes.len()));
        }
        // Spreadsheets write a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::Reader::from_reader(bytes);
        let columns = columns(reader.headers().map_err(|error| said(&error))?)?;
        let mut table = Self {
            columns,
            ..Self::default()
        };
        let mut record = csv::StringRecord::new();
        let mut rows = 0;
        while reader
            .read_record(&mut record)
            .map_err(|error| said(&error))?
        {
            rows += 1;
            if rows > MOST_ROWS {
                return Err(DataError::TooManyRows);
            }
            for cell in &record {
                table.text.push_str(cell);
                let end = u32::try_from(table.text.len());
                table
                    .ends
                    .push(end.map_err(|_| DataError::TooLarge(bytes.len()))?);
            }
        }
        if rows == 0 {
            return Err(DataError::NoRows);
        }
        Ok(table)
    }

    /// The names of its columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows it has, at least 1.
    pub fn rows(&self) -> u64 {
        let rows = self.ends.len().checked_div(self.columns.len());
        rows.unwrap_or(0) as u64
    }

    /// The cell of this row and column, from 0.
    pub fn cell(&self, row: u64, column: usize) -> Option<&str> {
        if column >= self.columns.len() {
            return None;
        }
        let place = usize::try_from(row)
            .ok()?
            .checked_mul(self.columns.len())?
            .checked_add(column)?;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(place)?;
        self.text.get(start as usize..end as usize)
    }
}

fn columns(names: &csv::StringRecord) -> Result<Vec<String>, DataError> {
    if names.len() > MOST_COLUMNS {
        return Err(DataError::TooManyColumns(names.len()));
    }
    let mut seen = BTreeSet::new();
    let mut columns = Vec::new();
    for (number, name) in (1..).zip(names) {
        let name = name.trim();
        if name.is_empty() || name.contains(['{', '}']) {
            // An empty file has one column without a name.
            return Err(if names.len() < 2 && name.is_empty() {
                DataError::NoRows
            } else {
                DataError::ColumnName(number)
            });
        }
        if !seen.insert(name) {
            return Err(DataError::DuplicateColumn(name.to_owned()));
        }
        columns.push(name.to_owned());
    }
    if columns.is_empty() {
        return Err(DataError::NoRows);
    }
    Ok(columns)
}

fn said(error: &csv::Error) -> DataError {
    let line = |position: &Option<csv::Position>| position.as_ref().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            pos,
            expected_len,
            len,
        } => DataError::Ragged {
            line: line(pos),
            has: *len,
            expected: *expected_len,
        },
        csv::ErrorKind::Utf8 { pos, .. } => DataError::NotUtf8(line(pos)),
        _ => DataError::Form,
    }
}

/// The data files of a workload, and which row each arrival takes.
#[derive(Clone, Debug)]
pub struct DataSet {
    seed: Seed,
    workload: u32,
    tables: Vec<(Pick, DataTable)>,
}

impl DataSet {
    /// The files of this workload, read, in the order of its plan.
    pub fn new(seed: Seed, workload: &WorkloadPlan, tables: Vec<DataTable>) -> Self {
        let picks = workload.data.iter().map(|data| data.pick);
        Self {
            seed,
            workload: workload.number,
            tables: picks.zip(tables).collect(),
        }
    }

    /// The rows that an arrival takes: the same on any number of workers.
    pub fn rows(&self, arrival: u64, client: u32) -> Rows<'_> {
        // A stream of its own, so that a file more changes no other draw.
        let mut drawn = None;
        let picked = self.tables.iter().map(|(pick, table)| {
            let rows = table.rows();
            let row = match pick {
                Pick::Sequential => arrival.checked_rem(rows),
                Pick::Client => u64::from(client).checked_rem(rows),
                Pick::Random => {
                    let generator = drawn.get_or_insert_with(|| {
                        self.seed.stream(Purpose::Data, self.workload, arrival)
                    });
                    Some(below(generator, rows))
                }
            };
            row.unwrap_or(0)
        });
        let picked = picked.collect();
        Rows {
            tables: &self.tables,
            picked,
        }
    }
}

/// The rows of one arrival, one of each file.
#[derive(Clone, Debug, Default)]
pub struct Rows<'a> {
    tables: &'a [(Pick, DataTable)],
    picked: Vec<u64>,
}

impl<'a> Rows<'a> {
    /// The cell of this column, of the row that was picked in this file; both by place.
    pub fn cell(&self, table: usize, column: usize) -> Option<&'a str> {
        let (_, found) = self.tables.get(table)?;
        found.cell(*self.picked.get(table)?, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DataPlan;

    const USERS: &[u8] = b"\xef\xbb\xbfid, name \r\n1,Ann\r\n2,\"B, \"\"ob\"\"\"\n3,\n";

    fn set(picks: &[Pick]) -> DataSet {
        let mut workload = WorkloadPlan::new("main", 10, Vec::new());
        workload.data = picks
            .iter()
            .map(|pick| DataPlan {
                name: "users".to_owned(),
                file: "users.csv".to_owned(),
                columns: Vec::new(),
                rows: 3,
                pick: *pick,
            })
            .collect();
        let tables = picks.iter().map(|_| DataTable::parse(USERS).unwrap());
        DataSet::new(Seed(1), &workload, tables.collect())
    }

    #[test]
    fn a_table_has_its_columns_rows_and_cells() {
        let table = DataTable::parse(USERS).unwrap();
        assert_eq!(table.columns(), ["id", "name"]);
        assert_eq!(table.rows(), 3);
        assert_eq!(table.cell(0, 0), Some("1"));
        assert_eq!(table.cell(1, 1), Some("B, \"ob\""));
        assert_eq!(table.cell(2, 1), Some(""));
        assert_eq!(table.cell(3, 0), None);
        assert_eq!(table.cell(0, 2), None);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let wide = vec!["a"; MOST_COLUMNS + 1].join(",");
        for (text, error) in [
            (&b""[..], DataError::NoRows),
            (b"id,name\n", DataError::NoRows),
            (
                b"id,name\n1,a\n2\n",
                DataError::Ragged {
                    line: 3,
                    has: 1,
                    expected: 2,
                },
            ),
            (b"id,name\n1,\xff\n", DataError::NotUtf8(2)),
            (b"id,\n1,2\n", DataError::ColumnName(2)),
            (b"id,}}\n1,2\n", DataError::ColumnName(2)),
            (
                b"id, id\n1,2\n",
                DataError::DuplicateColumn("id".to_owned()),
            ),
            (wide.as_bytes(), DataError::TooManyColumns(MOST_COLUMNS + 1)),
        ] {
            let name = String::from_utf8_lossy(text).into_owned();
            assert_eq!(DataTable::parse(text), Err(error), "{name}");
        }
    }

    #[test]
    fn an_arrival_takes_the_row_that_its_file_says() {
        let set = set(&[Pick::Sequential, Pick::Client, Pick::Random]);
        let ids = |arrival, client| {
            let rows = set.rows(arrival, client);
            [0, 1, 2].map(|table| rows.cell(table, 0).unwrap().to_owned())
        };
        assert_eq!(ids(0, 5)[..2], ["1", "3"]);
        assert_eq!(ids(4, 5)[..2], ["2", "3"]);
        assert_eq!(ids(4, 5), ids(4, 5));
        let drawn: BTreeSet<String> = (0..50).map(|arrival| ids(arrival, 0)[2].clone()).collect();
        assert_eq!(drawn.len(), 3);
    }
}
