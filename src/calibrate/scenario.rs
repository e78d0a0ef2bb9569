//! The scenarios of a calibration, as text: they are read, planned and executed like any other.
//!
//! Pure. All of them play against one `mcpload serve stub`. The names of their phases are fixed: `warm-up` is not measured,
//! [`MEASURED`] is.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::ProtocolVersion;

/// The phase whose numbers count.
pub const MEASURED: &str = "steady";
/// The slot of the stub.
pub const STUB: &str = "stub-1";

/// What is called, and how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `tools/call` of 2026-07-28, stateless, answered with JSON.
    ModernJson,
    /// The same, answered with an event stream of one event.
    ModernEvents,
    /// `tools/call` of 2025-11-25 in a session, answered with JSON.
    LegacySession,
}

impl Shape {
    /// Every shape, in the order of documents.
    pub const ALL: [Self; 3] = [Self::ModernJson, Self::ModernEvents, Self::LegacySession];

    /// The name in directories and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModernJson => "modern-json",
            Self::ModernEvents => "modern-events",
            Self::LegacySession => "legacy-session",
        }
    }

    /// What it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ModernJson => "modern call, JSON answer",
            Self::ModernEvents => "modern call, event stream",
            Self::LegacySession => "legacy call in a session",
        }
    }

    const fn protocol(self) -> ProtocolVersion {
        match self {
            Self::ModernJson | Self::ModernEvents => ProtocolVersion::V2026_07_28,
            Self::LegacySession => ProtocolVersion::V2025_11_25,
        }
    }
}

/// Which clients are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Era {
    /// 2026-07-28: a connection.
    Modern,
    /// 2025-11-25: a session, a connection for calls and one for the GET stream that stays open.
    Legacy,
}

impl Era {
    /// Both, in the order of documents.
    pub const ALL: [Self; 2] = [Self::Modern, Self::Legacy];

    /// The name in directories and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }

    /// What a client of it holds, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Modern => "modern: a connection",
            Self::Legacy => "legacy: a session, two connections, GET stream open",
        }
    }
}

/// A scenario of a calibration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name, and that of its directory.
    pub name: String,
    /// The number of load workers; the default of the machine if `None`.
    pub workers: Option<u32>,
    /// Further arguments of the stub.
    pub stub: Vec<String>,
    /// How many clients there are.
    pub clients: u32,
    /// What they speak.
    pub protocol: ProtocolVersion,
    /// Whether they keep a stream of the server's messages open.
    pub listens: bool,
    /// The timeout of a call.
    pub timeout: Duration,
    /// Arrivals a second.
    pub rate: u64,
    /// The phase before the measured one.
    pub warm_up: Duration,
    /// The measured phase.
    pub measured: Duration,
}

/// How long a probe of a rate lasts: what comes before, what is measured.
const RATE_WARM_UP: Duration = Duration::from_millis(500);
const RATE_MEASURED: Duration = Duration::from_secs(2);
/// Clients of the probes of rates: enough that few arrivals find theirs busy, few enough that each has its connection soon.
pub const RATE_CLIENTS: u32 = 200;
/// How long the stub of the first proof pauses.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Arrivals a second of the first proof.
pub const PAUSE_RATE: u64 = 1_000;
/// Clients of the first proof: the most calls that the pause finds in flight.
pub const PAUSE_CLIENTS: u32 = 8;
/// The known delays of the second proof, milliseconds.
pub const DELAYS_MS: [u64; 3] = [5, 20, 80];
/// Clients in the two runs that measure memory.
pub const CLIENTS: [u32; 2] = [200, 2_000];

/// About what all probes but those of rates take together, set-up included.
pub const FIXED: Duration = Duration::from_secs(27);
/// What a probe of a rate takes, set-up included.
pub const PER_RATE: Duration = Duration::from_millis(3_100);

impl Probe {
    fn new(name: String, protocol: ProtocolVersion) -> Self {
        Self {
            name,
            workers: None,
            stub: Vec::new(),
            clients: RATE_CLIENTS,
            protocol,
            listens: false,
            timeout: Duration::from_secs(5),
            rate: 100,
            warm_up: RATE_WARM_UP,
            measured: RATE_MEASURED,
        }
    }

    /// A rate that is tried.
    pub fn rate(shape: Shape, workers: u32, rate: u64) -> Self {
        let name = format!("rate-{}-{workers}-{rate}", shape.name());
        let events = (shape == Shape::ModernEvents).then(|| "--events".to_owned());
        Self {
            workers: Some(workers),
            stub: events.into_iter().collect(),
            // What is far too much must not be waited for.
            timeout: Duration::from_secs(1),
            rate,
            ..Self::new(name, shape.protocol())
        }
    }

    /// The stub pauses for a second in the middle: the response time must show it, the service time of most calls not.
    pub fn pause() -> Self {
        let pause = ["--pause", "1s", "--pause-after", "1s"];
        Self {
            stub: pause.map(str::to_owned).to_vec(),
            clients: PAUSE_CLIENTS,
            rate: PAUSE_RATE,
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(4),
            ..Self::new("pause".to_owned(), ProtocolVersion::V2026_07_28)
        }
    }

    /// The stub answers each call after this delay.
    pub fn delay(milliseconds: u64) -> Self {
        Self {
            stub: vec!["--delay".to_owned(), format!("{milliseconds}ms")],
            ..Self::new(
                format!("delay-{milliseconds}ms"),
                ProtocolVersion::V2026_07_28,
            )
        }
    }

    /// So many clients, each of whom calls now and then.
    pub fn clients(era: Era, clients: u32) -> Self {
        let protocol = match era {
            Era::Modern => ProtocolVersion::V2026_07_28,
            Era::Legacy => ProtocolVersion::V2025_11_25,
        };
        Self {
            workers: Some(1),
            clients,
            listens: era == Era::Legacy,
            // Of 2,000 clients all but 1 in 12 have called after 2 s.
            rate: 2_500,
            warm_up: Duration::ZERO,
            // The usage of each process is looked at once a second: the last look must find the clients there.
            measured: Duration::from_millis(2_300),
            ..Self::new(format!("clients-{}-{clients}", era.name()), protocol)
        }
    }

    /// The scenario.
    pub fn text(&self) -> String {
        let mut text = format!("version = 1\nname = \"{}\"\n", self.name);
        if let Some(workers) = self.workers {
            let _ = writeln!(text, "workers = {workers}");
        }
        text.push_str("\n[fleet]\ndriver = \"process\"\n[fleet.role.stub]\n");
        if !self.stub.is_empty() {
            let words: Vec<String> = self.stub.iter().map(|word| format!("\"{word}\"")).collect();
            let _ = writeln!(text, "args = [{}]", words.join(", "));
        }
        let (clients, protocol) = (self.clients, self.protocol);
        let _ = write!(
            text,
            "\n[workload]\nclients = {clients}\nprotocol = \"{protocol}\"\n"
        );
        if self.listens {
            text.push_str("listen = \"100%\"\n");
        }
        let _ = write!(
            text,
            "[[workload.operation]]\ntool = \"echo\"\narguments = {{ text = \"hello\" }}\nexpect = {{ equals = \"ok\" }}\ntimeout = \"{}ms\"\n",
            self.timeout.as_millis()
        );
        let phases = [
            ("warm-up", self.warm_up, false),
            (MEASURED, self.measured, true),
        ];
        for (name, duration, is_measured) in phases {
            if duration.is_zero() {
                continue;
            }
            let _ = write!(
                text,
                "\n[[phase]]\nname = \"{name}\"\nduration = \"{}ms\"\nrate = \"{}/s\"\nmeasure = {is_measured}\n",
                duration.as_millis(),
                self.rate
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::plan::compile::{Host, compile};
    use crate::scenario::{Overrides, load};

    #[test]
    fn every_scenario_of_a_calibration_is_a_plan() {
        let catalog = Catalog::new(&[], &[]);
        let host = Host {
            cores: 2,
            open_files: 20_000,
            seed: 7,
        };
        let mut probes = vec![Probe::pause()];
        probes.extend(DELAYS_MS.map(Probe::delay));
        probes.extend(Shape::ALL.map(|shape| Probe::rate(shape, 2, 4_000)));
        for clients in CLIENTS {
            probes.extend(Era::ALL.map(|era| Probe::clients(era, clients)));
        }
        for probe in probes {
            let text = probe.text();
            let loaded = load(&probe.name, &text, &Overrides::none(), &catalog).unwrap();
            let plan = compile(&loaded, &catalog, &host).unwrap();
            assert_eq!(plan.name, probe.name);
            let last = plan.phases.last().unwrap();
            assert!(last.name == MEASURED && last.measure, "{text}");
            assert_eq!(plan.fleet.slots().next().unwrap().1.id.as_str(), STUB);
        }
    }
}
