//! [`Rows`]: the typed rows of a table of the run directory, one after the other.
//!
//! Not pure: it reads. At the first row that is torn or of another form it stops and keeps a note; it never fails.

use std::fs::File;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::whole::WholeLines;

/// A table: its records, as they stand in the file.
pub(super) struct Table {
    name: &'static str,
    reader: Option<csv::Reader<WholeLines>>,
    headers: csv::StringRecord,
    damage: Option<String>,
}

impl Table {
    /// A CSV file.
    fn plain(directory: &Path, name: &'static str) -> Self {
        Self::open(directory, name, |file| Ok(Box::new(file)))
    }

    /// A CSV file that is compressed, in any number of zstd frames.
    pub(super) fn compressed(directory: &Path, name: &'static str) -> Self {
        Self::open(directory, name, |file| {
            let decoder = zstd::stream::read::Decoder::new(BufReader::new(file))?;
            Ok(Box::new(decoder))
        })
    }

    fn open(
        directory: &Path,
        name: &'static str,
        wrap: impl FnOnce(File) -> std::io::Result<Box<dyn Read + Send>>,
    ) -> Self {
        let mut table = Self {
            name,
            reader: None,
            headers: csv::StringRecord::new(),
            damage: None,
        };
        match File::open(directory.join(name)).and_then(wrap) {
            Ok(source) => {
                let mut reader = csv::Reader::from_reader(WholeLines::new(name, source));
                match reader.headers() {
                    Ok(headers) => table.headers = headers.clone(),
                    Err(error) => table.damage = Some(format!("{name} has no header: {error}")),
                }
                table.reader = Some(reader);
            }
            Err(error) => table.damage = Some(format!("{name} cannot be read: {error}")),
        }
        table
    }

    /// The names of the columns.
    pub(super) fn headers(&self) -> &csv::StringRecord {
        &self.headers
    }

    /// Reads the next record; false at the end, and where the file stops making sense.
    pub(super) fn read(&mut self, record: &mut csv::StringRecord) -> bool {
        let (None, Some(reader)) = (&self.damage, &mut self.reader) else {
            return false;
        };
        match reader.read_record(record) {
            Ok(more) => more,
            Err(error) => {
                self.stop(&error);
                false
            }
        }
    }

    /// Keeps a note of what is wrong with a record; nothing is read after it.
    pub(super) fn stop(&mut self, error: &csv::Error) {
        self.damage = Some(note(self.name, error));
    }

    /// What was wrong with the file, known once its end was read.
    pub(super) fn damage(&self) -> Option<String> {
        let torn = || {
            self.reader
                .as_ref()
                .and_then(|reader| reader.get_ref().damage())
        };
        self.damage.clone().or_else(|| torn().map(str::to_owned))
    }
}

fn note(name: &str, error: &csv::Error) -> String {
    format!("{name} is not read to its end: {error}")
}

/// The rows of a table. Columns are found by their names; unknown ones are passed over.
pub struct Rows<T> {
    table: Table,
    record: csv::StringRecord,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Rows<T> {
    /// The rows of a CSV file.
    pub(super) fn plain(directory: &Path, name: &'static str) -> Self {
        Self::of(Table::plain(directory, name))
    }

    /// The rows of a CSV file that is compressed, in any number of zstd frames.
    pub(super) fn compressed(directory: &Path, name: &'static str) -> Self {
        Self::of(Table::compressed(directory, name))
    }

    fn of(table: Table) -> Self {
        Self {
            table,
            record: csv::StringRecord::new(),
            of: PhantomData,
        }
    }

    /// What was wrong with the file, known once its end was read.
    pub fn damage(&self) -> Option<String> {
        self.table.damage()
    }
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if !self.table.read(&mut self.record) {
            return None;
        }
        match self.record.deserialize(Some(&self.table.headers)) {
            Ok(row) => Some(row),
            Err(error) => {
                self.table.stop(&error);
                None
            }
        }
    }
}
