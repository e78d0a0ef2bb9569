//! The one table of metric names and units that CSV, JSON, reports and documents share.
//!
//! Pure.

/// A metric of `samples.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it is, one sentence without a period.
    pub summary: &'static str,
}

/// CPU time.
pub const CPU_SECONDS: Metric = Metric {
    name: "process_cpu_seconds_total",
    unit: "s",
    summary: "CPU time (user and system) used by all processes of the instance since its start",
};
/// Resident memory.
pub const RESIDENT_BYTES: Metric = Metric {
    name: "process_resident_memory_bytes",
    unit: "B",
    summary: "resident memory of all processes of the instance (shared pages counted once per process)",
};
/// Open files.
pub const OPEN_FILES: Metric = Metric {
    name: "process_open_fds",
    unit: "1",
    summary: "open file descriptors of all processes of the instance",
};
/// Processes.
pub const PROCESSES: Metric = Metric {
    name: "process_count",
    unit: "1",
    summary: "processes of the instance",
};
/// Operations under way on a worker; the label `phase` says when they were due.
pub const UNDER_WAY: Metric = Metric {
    name: "operations_under_way",
    unit: "1",
    summary: "operations between release and end, mean over the second before, of a worker and a phase",
};

/// Every metric of `samples.csv`.
pub const SAMPLES: &[Metric] = &[
    CPU_SECONDS,
    RESIDENT_BYTES,
    OPEN_FILES,
    PROCESSES,
    UNDER_WAY,
];
