//! The catalogue: every kind that scenarios can name, as the reader, the compiler and the documents see them.
//!
//! Pure. [`Catalog`] borrows the visible const slices of kinds, so tests can hand in others. [`LATER`] holds the names that are
//! decided and not built: they are refused with "not yet", not as unknown. A name in a slice hides the same name here.

use crate::check::Check;
use crate::fault::Fault;
use crate::fault::kinds::FAULTS;
use crate::fleet::Driver;
use crate::fleet::drivers::DRIVERS;
use crate::load::Profile;
use crate::load::profiles::PROFILES;
use crate::registry::{Acts, Family, Kind, KindInfo};
use crate::report::Reporter;

/// Names that will be kinds, with what they will do: family, name, summary.
pub const LATER: &[(Family, &str, &str)] = &[];

/// Every kind of every family.
#[derive(Clone, Copy)]
pub struct Catalog {
    /// The fleet drivers.
    pub drivers: &'static [Kind<dyn Driver>],
    /// The load profiles.
    pub profiles: &'static [Kind<dyn Profile>],
    /// The faults.
    pub faults: &'static [Kind<dyn Fault>],
    /// The checks.
    pub checks: &'static [Kind<dyn Check>],
    /// The report formats.
    pub reports: &'static [Kind<dyn Reporter>],
}

/// What a name stands for in a family.
#[derive(Clone, Copy, Debug)]
pub enum Named {
    /// A kind of the slices.
    Kind(&'static KindInfo),
    /// A name of [`LATER`] with its summary.
    Later(&'static str),
}

impl Catalog {
    /// The drivers, profiles and faults of this program, with these checks and report formats.
    pub const fn new(
        checks: &'static [Kind<dyn Check>],
        reports: &'static [Kind<dyn Reporter>],
    ) -> Self {
        Self {
            drivers: DRIVERS,
            profiles: PROFILES,
            faults: FAULTS,
            checks,
            reports,
        }
    }

    /// What is said of each kind of the family, in the order of documents.
    pub fn kinds(&self, family: Family) -> Vec<&'static KindInfo> {
        match family {
            Family::Driver => self.drivers.iter().map(|kind| &kind.info).collect(),
            Family::Profile => self.profiles.iter().map(|kind| &kind.info).collect(),
            Family::Fault => self.faults.iter().map(|kind| &kind.info).collect(),
            Family::Check => self.checks.iter().map(|kind| &kind.info).collect(),
            Family::Report => self.reports.iter().map(|kind| &kind.info).collect(),
        }
    }

    /// What `name` stands for in `family`.
    pub fn find(&self, family: Family, name: &str) -> Option<Named> {
        let kind = self
            .kinds(family)
            .into_iter()
            .find(|info| info.name == name);
        kind.map(Named::Kind).or_else(|| {
            LATER
                .iter()
                .find(|(of, later, _)| *of == family && *later == name)
                .map(|(_, _, summary)| Named::Later(summary))
        })
    }

    /// The names of the family that a scenario can use now.
    pub fn names(&self, family: Family) -> Vec<&'static str> {
        self.kinds(family)
            .into_iter()
            .filter(|info| info.acts == Acts::Now)
            .map(|info| info.name)
            .collect()
    }

    /// The names of the family that are refused with "not yet", with their summaries.
    pub fn later(&self, family: Family) -> Vec<(&'static str, &'static str)> {
        let kinds = self.kinds(family);
        let built = kinds
            .iter()
            .filter(|info| info.acts == Acts::NotYet)
            .map(|info| (info.name, info.summary));
        let planned = LATER
            .iter()
            .filter(|(of, name, _)| *of == family && kinds.iter().all(|info| info.name != *name))
            .map(|(_, name, summary)| (*name, *summary));
        built.chain(planned).collect()
    }
}
