//! [`Rows`]: the typed rows of a table of the run directory, one after the other.
//!
//! Not pure: it reads. At the first row that is torn or of another form it stops and keeps a note; it never fails.

use std::fs::File;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::whole::WholeLines;

/// The rows of a table. Columns are found by their names; unknown ones are passed over.
pub struct Rows<T> {
    name: &'static str,
    table: Option<csv::Reader<WholeLines>>,
    headers: csv::StringRecord,
    record: csv::StringRecord,
    damage: Option<String>,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Rows<T> {
    /// The rows of a CSV file.
    pub(super) fn plain(directory: &Path, name: &'static str) -> Self {
        Self::open(directory, name, |file| Ok(Box::new(file)))
    }

    /// The rows of a CSV file that is compressed, in any number of zstd frames.
    pub(super) fn compressed(directory: &Path, name: &'static str) -> Self {
        Self::open(directory, name, |file| {
            let decoder = zstd::stream::read::Decoder::new(BufReader::new(file))?;
            Ok(Box::new(decoder))
        })
    }

    fn open(
        directory: &Path,
        name: &'static str,
        wrap: impl FnOnce(File) -> std::io::Result<Box<dyn Read>>,
    ) -> Self {
        let mut rows = Self {
            name,
            table: None,
            headers: csv::StringRecord::new(),
            record: csv::StringRecord::new(),
            damage: None,
            of: PhantomData,
        };
        match File::open(directory.join(name)).and_then(wrap) {
            Ok(source) => {
                let mut table = csv::Reader::from_reader(WholeLines::new(name, source));
                match table.headers() {
                    Ok(headers) => rows.headers = headers.clone(),
                    Err(error) => rows.damage = Some(format!("{name} has no header: {error}")),
                }
                rows.table = Some(table);
            }
            Err(error) => rows.damage = Some(format!("{name} cannot be read: {error}")),
        }
        rows
    }

    /// What was wrong with the file, known once its end was read.
    pub fn damage(&self) -> Option<String> {
        let torn = || {
            self.table
                .as_ref()
                .and_then(|table| table.get_ref().damage())
        };
        self.damage.clone().or_else(|| torn().map(str::to_owned))
    }
}

impl<T: DeserializeOwned> Iterator for Rows<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.damage.is_some() {
            return None;
        }
        let read = self.table.as_mut()?.read_record(&mut self.record);
        let row = match read {
            Ok(false) => return None,
            Ok(true) => self.record.deserialize(Some(&self.headers)),
            Err(error) => Err(error),
        };
        match row {
            Ok(row) => Some(row),
            Err(error) => {
                self.damage = Some(format!("{} is not read to its end: {error}", self.name));
                None
            }
        }
    }
}
