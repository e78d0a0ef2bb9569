//! The rows of `calls.csv.zst`, written by hand: one is written for each Call, and whatever it costs is the generator's.
//!
//! Pure. The bytes are those that the `csv` crate writes for a `model::Call`, which a test holds to; the order of the fields is
//! that of the struct.

use super::{instance_name, operation_name, phase_name, step, workload_name};
use crate::clock::Clock;
use crate::load::recording::{Asked, Attempt};
use crate::load::table::{Table, wire_name};
use crate::model::Outcome;

/// Appends the row of a Call to `out`.
pub(super) fn write(table: &Table, clock: Clock, row: &Attempt, out: &mut Vec<u8>) {
    let at = |raw: i64| clock.offset(raw).nanos();
    let (method, target) = asked(table, row);
    let mut line = Line {
        out,
        digits: itoa::Buffer::new(),
    };
    line.number(at(row.done));
    line.number(at(row.operation_due));
    line.number(at(row.due));
    line.maybe(row.taken.map(at));
    line.maybe(row.sent.map(at));
    line.maybe(row.first_byte.map(at));
    line.maybe(row.first_event.map(at));
    line.maybe(row.connect_ns);
    line.maybe(row.tls_ns);
    line.number(table.index);
    line.text(workload_name(table, row.workload));
    line.text(operation_name(table, row.workload, row.operation));
    line.maybe(row.arrival);
    line.number(row.step);
    line.number(row.attempt);
    line.number(row.client);
    line.maybe(row.session);
    line.plain(row.protocol.name());
    line.text(method);
    line.text(target);
    line.text(phase_name(table, row.phase));
    line.plain(row.outcome().name());
    line.plain(row.class.name());
    line.maybe(row.code);
    line.text(instance_name(row.instance.as_ref()));
    line.number(row.bytes_in);
    line.number(row.bytes_out);
    line.plain(row.ends.map_or("", Outcome::name));
    line.end();
}

/// The method and the target of a Call.
fn asked<'a>(table: &'a Table, row: &Attempt) -> (&'a str, &'a str) {
    match row.asked {
        Asked::Step => step(table, row).map_or(("", ""), |step| {
            let method = wire_name(step.method, row.protocol.era());
            (method, step.target.as_str())
        }),
        asked => (asked.method(), ""),
    }
}

/// A line that grows field by field, each of them followed by a comma until the line ends.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    digits: itoa::Buffer,
}

impl Line<'_> {
    fn number(&mut self, number: impl itoa::Integer) {
        self.out
            .extend_from_slice(self.digits.format(number).as_bytes());
        self.out.push(b',');
    }

    fn maybe(&mut self, number: Option<impl itoa::Integer>) {
        match number {
            Some(number) => self.number(number),
            None => self.out.push(b','),
        }
    }

    /// A name of ours, which needs no quotes.
    fn plain(&mut self, name: &str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b',');
    }

    /// A name of others, in quotes if it needs them.
    fn text(&mut self, text: &str) {
        let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
        if text.as_bytes().iter().any(special) {
            self.out.push(b'"');
            for byte in text.bytes() {
                if byte == b'"' {
                    self.out.push(b'"');
                }
                self.out.push(byte);
            }
            self.out.extend_from_slice(b"\",");
        } else {
            self.plain(text);
        }
    }

    fn end(self) {
        if let Some(last) = self.out.last_mut() {
            *last = b'\n';
        }
    }
}

#[cfg(test)]
mod tests;
