//! [`WholeLines`]: lets through only what ends in a line end, and takes any error for the end of the file.
//!
//! Not pure: it reads. A run can be cut at any byte, so the last line may be half a row that still parses (`12` of `123`);
//! nothing behind the last line end is trusted.

use std::io::{self, Read};

/// The longest line that is believed to be one, bytes.
const LONGEST_LINE: usize = 16 << 20;
const CHUNK: usize = 64 << 10;

/// The whole lines of a source.
pub(super) struct WholeLines {
    name: &'static str,
    source: Box<dyn Read + Send>,
    /// Bytes read: `ready` of them are whole lines, `given` of these were handed out.
    buffer: Vec<u8>,
    ready: usize,
    given: usize,
    ended: bool,
    damage: Option<String>,
}

impl WholeLines {
    /// The whole lines of `source`, which is called `name` in damage notes.
    pub(super) fn new(name: &'static str, source: Box<dyn Read + Send>) -> Self {
        Self {
            name,
            source,
            buffer: Vec::new(),
            ready: 0,
            given: 0,
            ended: false,
            damage: None,
        }
    }

    /// What was wrong, known once the end was read.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    fn fill(&mut self) {
        self.buffer.drain(..self.given);
        self.ready -= self.given;
        self.given = 0;
        while self.ready == 0 && !self.ended {
            let before = self.buffer.len();
            self.buffer.resize(before + CHUNK, 0);
            let read = match self.buffer.get_mut(before..) {
                Some(space) => self.source.read(space),
                None => Ok(0),
            };
            match read {
                Ok(count) => {
                    self.buffer.truncate(before + count);
                    self.ended = count == 0;
                    let fresh = self.buffer.get(before..).unwrap_or_default();
                    if let Some(last) = fresh.iter().rposition(|byte| *byte == b'\n') {
                        self.ready = before + last + 1;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.buffer.truncate(before);
                }
                Err(error) => {
                    self.buffer.truncate(before);
                    self.ended = true;
                    self.damage = Some(format!("{} is cut or damaged: {error}", self.name));
                }
            }
            if self.buffer.len() > LONGEST_LINE && self.ready == 0 {
                self.ended = true;
            }
        }
        if self.ended && self.ready == 0 && !self.buffer.is_empty() {
            let torn = self.buffer.len();
            self.damage
                .get_or_insert_with(|| format!("{} ends in a torn line ({torn} bytes)", self.name));
            self.buffer.clear();
        }
    }
}

impl Read for WholeLines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready {
            self.fill();
        }
        let lines = self.buffer.get(self.given..self.ready).unwrap_or_default();
        let count = lines.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), lines.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static [u8]) -> (String, Option<String>) {
        let mut whole = WholeLines::new("x.csv", Box::new(text));
        let mut out = String::new();
        whole.read_to_string(&mut out).unwrap();
        (out, whole.damage().map(str::to_owned))
    }

    #[test]
    fn what_follows_the_last_line_end_is_left_out_and_said() {
        assert_eq!(read(b"a,1\nb,2\n"), ("a,1\nb,2\n".to_owned(), None));
        let (out, damage) = read(b"a,1\nb,2");
        assert_eq!(out, "a,1\n");
        assert_eq!(damage.unwrap(), "x.csv ends in a torn line (3 bytes)");
        assert_eq!(read(b""), (String::new(), None));
    }

    #[test]
    fn an_error_ends_the_file_after_its_whole_lines() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                if self.0 {
                    return Err(io::Error::other("incomplete frame"));
                }
                self.0 = true;
                into[..5].copy_from_slice(b"a\nb\nc");
                Ok(5)
            }
        }
        let mut whole = WholeLines::new("x", Box::new(Broken(false)));
        let mut out = String::new();
        whole.read_to_string(&mut out).unwrap();
        assert_eq!(out, "a\nb\n");
        assert_eq!(
            whole.damage(),
            Some("x is cut or damaged: incomplete frame")
        );
    }
}
