//! Where each value of a scenario stands: path (`fault[0].at`) -> bytes.
//!
//! Pure. A path that has no place of its own (a default) has that of the nearest table around it.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Diagnostics, Place, Sources};

/// The places of one key and its value.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) key: Option<Place>,
    pub(super) value: Place,
    /// Whether the value is a table or a list of tables, for which the key is the better place to point at.
    pub(super) wide: bool,
}

/// The places and origins of the values of a scenario.
#[derive(Clone, Debug)]
pub struct Spans {
    pub(super) sources: Sources,
    pub(super) marks: BTreeMap<String, Mark>,
    pub(super) origins: BTreeMap<String, String>,
}

impl Spans {
    /// The place of the value at `path`.
    pub fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(mark) = self.marks.get(path) {
                return match &mark.key {
                    Some(key) if mark.wide => key.clone(),
                    _ => mark.value.clone(),
                };
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = path.get(..at).unwrap_or(""),
                None => {
                    return Place {
                        source: 0,
                        span: 0..0,
                    };
                }
            }
        }
    }

    /// The place of the key of `path`, or of its value where it has none.
    pub fn key_place(&self, path: &str) -> Place {
        match self.marks.get(path).and_then(|mark| mark.key.clone()) {
            Some(key) => key,
            None => self.place(path),
        }
    }

    /// The line of the value at `path`, from 1; 0 if it does not stand in the scenario file.
    pub fn line(&self, path: &str) -> u32 {
        let place = self.place(path);
        let Some(source) = self.sources.first().filter(|_| place.source == 0) else {
            return 0;
        };
        let before = source.text.get(..place.span.start).unwrap_or("");
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    /// Whether the scenario (or an override) gives a value at `path`.
    pub fn given(&self, path: &str) -> bool {
        self.marks.contains_key(path)
    }

    /// Where each value that is not in the scenario file came from.
    pub const fn origins(&self) -> &BTreeMap<String, String> {
        &self.origins
    }

    /// Diagnostics about this scenario.
    pub fn diagnostics(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(self.sources.clone(), list)
    }
}
