//! From a [`Second`] to frames: CSV, zstd, the interval log. This is the work of the sender thread.
//!
//! Pure.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag as LogTag};
use thiserror::Error;
use zstd::bulk::Compressor;

use super::second::{Counters, Key, Label, Second};
use super::{Attempt, Instance, Move};
use crate::clock::Clock;
use crate::load::frames::FromWorker;
use crate::load::table::Table;
use crate::model::session::SessionRow;
use crate::plan::StepPlan;
use crate::record::payload::Deflater;
use crate::record::rows::CountRow;
use crate::record::tag::Tag;

mod rows;

/// The level of compression. On rows of calls 1 is faster than 2 and 3, and smaller; below it they grow by half.
const LEVEL: i32 = 1;

/// Why a second could not be encoded.
#[derive(Debug, Error)]
pub(crate) enum EncodeError {
    /// As CSV.
    #[error("rows cannot be written as CSV")]
    Csv(#[source] csv::Error),
    /// As a zstd frame.
    #[error("rows cannot be compressed")]
    Zstd(#[source] std::io::Error),
    /// As an interval log.
    #[error("a histogram cannot be written: {0}")]
    Histogram(String),
}

/// What turns seconds into frames; its buffers serve one second after the other.
#[derive(Default)]
pub(crate) struct Encoder {
    rows: Vec<u8>,
    compressor: Option<Compressor<'static>>,
    deflater: Deflater,
}

impl Encoder {
    /// The frames of a second, in the order in which they are sent; the last are its Second messages. The histograms are
    /// emptied and handed to `recycle`.
    pub(crate) fn frames(
        &mut self,
        table: &Table,
        clock: Clock,
        second: Second,
        recycle: &mut dyn FnMut(Histogram<u64>),
    ) -> Result<Vec<FromWorker>, EncodeError> {
        let mut frames = Vec::new();
        let seconds = second.seconds();
        let mut counts = writer();
        for (live, rows) in &seconds {
            for (label, counters) in rows {
                let row = count_row(table, live.second, *label, counters);
                let over = (0..table.thresholds.len())
                    .map(|place| counters.over.get(place).copied().unwrap_or(0));
                let over: Vec<u64> = over.collect();
                counts.serialize((row, over)).map_err(EncodeError::Csv)?;
            }
        }
        push(&mut frames, FromWorker::Counts, bytes(counts)?);
        self.rows.clear();
        for row in &second.rows {
            rows::write(table, clock, row, &mut self.rows);
        }
        let calls = compress(&mut self.compressor, &self.rows)?;
        push(&mut frames, FromWorker::Calls, calls);
        let mut sessions = writer();
        for row in &second.moves {
            sessions
                .serialize(session_row(table, clock, row))
                .map_err(EncodeError::Csv)?;
        }
        let sessions = compress(&mut self.compressor, &bytes(sessions)?)?;
        push(&mut frames, FromWorker::Sessions, sessions);
        let lives: Vec<_> = seconds.iter().map(|(live, _)| live.clone()).collect();
        let first = lives.first().map_or(0, |live| live.second);
        let log = histograms(&mut self.deflater, table, first, second, recycle)?;
        push(&mut frames, FromWorker::Histograms, log);
        frames.extend(lives.into_iter().map(FromWorker::Second));
        Ok(frames)
    }
}

fn push(frames: &mut Vec<FromWorker>, kind: fn(Vec<u8>) -> FromWorker, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        frames.push(kind(bytes));
    }
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_writer(Vec::new())
}

fn bytes(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, EncodeError> {
    writer
        .into_inner()
        .map_err(|error| EncodeError::Csv(error.into_error().into()))
}

/// One zstd frame with these bytes; nothing for none.
fn compress(
    compressor: &mut Option<Compressor<'static>>,
    bytes: &[u8],
) -> Result<Vec<u8>, EncodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let compressor = match compressor {
        Some(compressor) => compressor,
        None => compressor.insert(Compressor::new(LEVEL).map_err(EncodeError::Zstd)?),
    };
    compressor.compress(bytes).map_err(EncodeError::Zstd)
}

/// Interval lines: start and length in seconds from `t0`; set-up counts into the second that starts there.
fn histograms(
    deflater: &mut Deflater,
    table: &Table,
    first: i64,
    second: Second,
    recycle: &mut dyn FnMut(Histogram<u64>),
) -> Result<Vec<u8>, EncodeError> {
    let start = Duration::from_secs(u64::try_from(first).unwrap_or(0));
    let length = second
        .live
        .second
        .saturating_add(1)
        .saturating_sub(first.max(0));
    let length = Duration::from_secs(u64::try_from(length).unwrap_or(0).max(1));
    let mut log = Vec::new();
    let wrong = |error: &dyn std::fmt::Display| EncodeError::Histogram(error.to_string());
    // A builder that was told nothing writes no header lines.
    let mut writer = IntervalLogWriterBuilder::new()
        .begin_log_with(&mut log, deflater)
        .map_err(|error| wrong(&error))?;
    for (key, mut histogram) in second.into_histograms() {
        let tag = tag(table, &key).to_string();
        writer
            .write_histogram(&histogram, start, length, LogTag::new(&tag))
            .map_err(|error| wrong(&error))?;
        histogram.reset();
        recycle(histogram);
    }
    Ok(log)
}

fn tag(table: &Table, key: &Key) -> Tag {
    match key {
        Key::Label(measure, label) => Tag::Label {
            measure: *measure,
            workload: workload_name(table, label.workload).to_owned(),
            operation: operation_name(table, label.workload, label.operation).to_owned(),
            protocol: label.protocol,
            phase: phase_name(table, label.phase).to_owned(),
        },
        Key::Slot(slot, phase) => Tag::SlotService {
            slot: slot.to_string(),
            phase: phase_name(table, *phase).to_owned(),
        },
    }
}

fn count_row(table: &Table, second: i64, label: Label, counters: &Counters) -> CountRow {
    CountRow {
        second,
        worker: table.index,
        phase: phase_name(table, label.phase).to_owned(),
        workload: workload_name(table, label.workload).to_owned(),
        operation: operation_name(table, label.workload, label.operation).to_owned(),
        protocol: label.protocol,
        arrivals: counters.arrivals,
        shed: counters.shed,
        unrecorded: counters.unrecorded,
        left_out: counters.left_out,
        operations_ok: counters.operations.ok,
        operations_fail: counters.operations.fail,
        operations_info: counters.operations.info,
        calls_ok: counters.calls.ok,
        calls_fail: counters.calls.fail,
        calls_info: counters.calls.info,
    }
}

fn session_row(table: &Table, clock: Clock, row: &Move) -> SessionRow {
    SessionRow {
        at: clock.offset(row.at),
        worker: table.index,
        workload: workload_name(table, row.workload).to_owned(),
        client: row.client,
        session: row.session,
        protocol: row.protocol,
        transition: row.transition,
        instance: instance_name(row.instance.as_ref()).to_owned(),
        cause: row.cause.clone(),
        missed: row.missed,
        doubled: row.doubled,
    }
}

fn instance_name(instance: Option<&Instance>) -> &str {
    instance.map_or("", |kept| &kept.name)
}

fn step<'a>(table: &'a Table, row: &Attempt) -> Option<&'a StepPlan> {
    let workload = table.plan.workloads.get(row.workload as usize)?;
    let operation = workload.operations.get(row.operation? as usize)?;
    operation.steps.get(row.step as usize)
}

fn workload_name(table: &Table, workload: u32) -> &str {
    let plan = table.plan.workloads.get(workload as usize);
    plan.map_or("", |workload| workload.name.as_str())
}

/// The name of an operation in rows, counts and tags.
pub(super) fn operation_name(table: &Table, workload: u32, operation: Option<u32>) -> &str {
    let Some(operation) = operation else {
        return "session";
    };
    let plan = table.plan.workloads.get(workload as usize);
    plan.and_then(|workload| workload.operations.get(operation as usize))
        .map_or("other", |operation| operation.name.as_str())
}

fn phase_name(table: &Table, phase: Option<u32>) -> &str {
    let plan = phase.and_then(|phase| table.plan.phases.get(phase as usize));
    plan.map_or("set-up", |phase| phase.name.as_str())
}
