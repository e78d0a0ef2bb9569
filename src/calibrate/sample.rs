//! A calibration with known numbers, for tests.
//!
//! Pure.

use super::proofs::{Delayed, Paused, counts, delays, pause};
use super::reading::{StubLog, StubTimes};
use super::scenario::{Era, MEASURED, Shape};
use super::{Calibration, ClientsFound, Cost, NOT_MEASURED, RateFound, VERSION};
use crate::analysis::{PhaseStats, Quantiles, Tally, Trust};
use crate::model::{Offset, Window};
use crate::record::rows::HostFacts;

/// A measured phase of 4,000 calls without a number of its own.
pub(crate) fn phase() -> PhaseStats {
    PhaseStats {
        name: MEASURED.to_owned(),
        window: Window::new(Offset(0), Offset(4_000_000_000)),
        measured: true,
        load: "main: 1000/s".to_owned(),
        closed: false,
        intended: Some(4_000),
        tally: Tally::default(),
        response: times(0, 0, 0),
        service: times(0, 0, 0),
        client_wait: Quantiles::default(),
        lag: Quantiles::default(),
    }
}

/// 4,000 samples with this median, 99th percentile and maximum, microseconds.
pub(crate) fn times(p50: u64, p99: u64, max: u64) -> Quantiles {
    Quantiles {
        samples: 4_000,
        p50_ns: Some(p50 * 1_000),
        p99_ns: Some(p99 * 1_000),
        max_ns: Some(max * 1_000),
        ..Quantiles::default()
    }
}

/// What a run showed in which the pause was seen as it should be.
pub(crate) fn paused() -> Paused {
    Paused {
        response: times(120, 967_000, 1_001_000),
        service: times(110, 1_800, 1_000_800),
        stub_max_ns: Some(1_000_500_000),
        trust: Trust::Valid,
    }
}

/// What a run showed in which the stub answered after 20 ms.
pub(crate) fn delayed() -> Delayed {
    Delayed {
        delay_ns: 20_000_000,
        response: times(20_400, 21_000, 22_000),
        service: times(20_300, 20_900, 21_900),
        shortest_ns: Some(20_090_000),
        stub: StubLog {
            calls: 250,
            service_ns: StubTimes {
                count: 250,
                p50: Some(20_070_000),
                max: Some(20_500_000),
            },
        },
        trust: Trust::Valid,
    }
}

/// All of it.
pub(crate) fn calibration() -> Calibration {
    let cost = Cost {
        samples: 22_600,
        generator_ns_per_call: Some(31_000),
        stub_ns_per_call: Some(12_000),
        generator_cores: 0.35,
        stub_cores: 0.14,
        lag_p99_ns: Some(420_000),
        service_p50_ns: Some(90_000),
        service_p99_ns: Some(900_000),
        response_p99_ns: Some(2_100_000),
    };
    Calibration {
        version: VERSION.to_owned(),
        tool: "0.1.0".to_owned(),
        host: HostFacts {
            kernel: "Linux 6.1".to_owned(),
            processor: "a processor".to_owned(),
            cores: 2,
            memory_bytes: 8 << 30,
            open_files: 20_000,
        },
        workers: 1,
        proofs: vec![
            pause(&paused()),
            delays(&[delayed()]),
            counts(&[("pause".to_owned(), 4_000, 4_000)]),
        ],
        rates: vec![
            RateFound {
                shape: Shape::ModernJson,
                workers: 1,
                clients: 64,
                probes: 5,
                valid_rate: Some(11_300),
                refused_rate: Some(13_400),
                refused_because: vec![
                    "the generator's lag p99 is 12.0 ms, above 10.0 ms".to_owned(),
                ],
                cost: Some(cost),
            },
            RateFound {
                shape: Shape::LegacySession,
                workers: 1,
                clients: 64,
                probes: 3,
                valid_rate: None,
                refused_rate: Some(100),
                refused_because: Vec::new(),
                cost: None,
            },
        ],
        clients: vec![ClientsFound {
            era: Era::Legacy,
            few: 200,
            many: 1_990,
            few_bytes: 30 << 20,
            many_bytes: 110 << 20,
            bytes_per_client: 46_863,
            files_per_client: 2.0,
            by_memory: 140_000,
            by_files: 9_968,
        }],
        not_measured: NOT_MEASURED.iter().copied().map(str::to_owned).collect(),
    }
}
