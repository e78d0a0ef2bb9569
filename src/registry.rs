//! Kinds: how a fault, check, driver, profile or report format enters the program, and how its parameters are described.
//!
//! Pure. A kind is one file that ends in `pub const KIND`, and one line in a visible const slice. Its [`Field`] table is the
//! only description of its parameters: the scenario reader validates with it, `mcpload schema`, `explain` and the README
//! tables are printed from it. By the time [`Kind::build`] is called every value is present, in range and in canonical form,
//! so a kind's `Spec` is a plain serde struct; plan.json stores (kind, Spec), and whoever needs the thing builds it from there.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// A parameter of a table or a kind.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key as it stands in a scenario.
    pub key: &'static str,
    /// What values it takes.
    pub ty: Ty,
    /// Whether it must be given.
    pub need: Need,
    /// One sentence without a period: meaning, with the unit where the type does not say it.
    pub summary: &'static str,
    /// A value as it would stand in a scenario, in TOML.
    pub example: &'static str,
    /// Whether this version acts on it.
    pub acts: Acts,
}

/// Whether a field must be given, may be left out, or has a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Leaving it out is an error.
    Required,
    /// Leaving it out means that there is none.
    Optional,
    /// Leaving it out means this TOML value.
    Default(&'static str),
}

/// Whether this version acts on a key, or parses it and refuses it as "not yet".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// It acts.
    Now,
    /// It is refused with its position and the words "not yet".
    NotYet,
}

/// What values a field takes, and its canonical form in JSON.
#[derive(Clone, Copy, Debug)]
pub enum Ty {
    /// Any text; canonical: string.
    Text,
    /// A name: letters, digits, `-`, `_`, `.`; starts with a letter; at most 64 bytes.
    Name,
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`.
    Integer {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A number, whole or with a fraction, from `min` to `max`; canonical: a number with a fraction.
    Number {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// A duration with a unit, `"1.5s"`, from `min` to `max` nanoseconds; canonical: humantime text such as `1s 500ms`.
    Duration {
        /// Least value, nanoseconds.
        min: u64,
        /// Greatest value, nanoseconds.
        max: u64,
    },
    /// A rate, `"100/s"`; canonical: the text of `model::Rate`.
    Rate,
    /// A share, `"99.9%"`; canonical: the text of `model::Share`.
    Share,
    /// A size, `"64MiB"`; canonical: bytes as a number.
    Bytes,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of the words `now`; those of `later` are refused with "not yet".
    Words {
        /// Words that this version acts on.
        now: &'static [&'static str],
        /// Words that are known, and do not act yet.
        later: &'static [&'static str],
    },
    /// A list of such values.
    List(&'static Ty),
    /// A table with free keys and such values.
    Map(&'static Ty),
    /// A table with these fields and no others.
    Table(&'static [Field]),
    /// One of several forms, told apart by the TOML type.
    Either(&'static [Ty]),
    /// A secret: only `{ env = "NAME" }` or `{ file = "PATH" }`.
    Secret,
    /// Anything: kept as it is, as JSON (tool arguments, expected answers).
    Any,
    /// A table (or, for `short`, a plain value) that selects a kind of this family by the family's tag key.
    Kind(Family),
}

/// The families of kinds, each a const slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `[fleet] driver = …`.
    Driver,
    /// `[[phase]] load = { profile = … }`.
    Profile,
    /// `[[fault]] kind = …`.
    Fault,
    /// `[[check]] kind = …`.
    Check,
    /// Formats below `report/`.
    Report,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 5] = [
        Self::Driver,
        Self::Profile,
        Self::Fault,
        Self::Check,
        Self::Report,
    ];

    /// The word for one of its kinds.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Profile => "profile",
            Self::Fault => "fault",
            Self::Check => "check",
            Self::Report => "report format",
        }
    }

    /// The key that names the kind in a scenario.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Profile => "profile",
            Self::Fault | Self::Check | Self::Report => "kind",
        }
    }
}

/// What is said of a kind without building it.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The name in scenarios: a kebab-case noun or verb.
    pub name: &'static str,
    /// One sentence without a period.
    pub summary: &'static str,
    /// A TOML fragment that uses it; a test parses it.
    pub example: &'static str,
    /// Its own parameters, beyond those that every kind of the family has.
    pub fields: &'static [Field],
    /// Checks that concern several fields; gets the canonical parameters.
    pub validate: fn(&Value) -> Result<(), Problem>,
    /// Whether this version acts on it.
    pub acts: Acts,
}

/// No check beyond those of the fields.
///
/// # Errors
/// None.
pub const fn no_further_check(_: &Value) -> Result<(), Problem> {
    Ok(())
}

/// What is wrong with the parameters of a kind; the reader turns it into a diagnostic at the key's position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key that the position is taken from.
    pub key: &'static str,
    /// What is wrong and what was expected, as a lower-case fragment.
    pub message: String,
    /// A hint, if there is one.
    pub hint: Option<String>,
}

/// The stored form of a chosen kind: its name and its canonical parameters, nothing left open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The kind's name.
    pub kind: String,
    /// Its parameters.
    #[serde(default)]
    pub with: Value,
}

impl Spec {
    /// Reads the parameters as the kind's own type.
    ///
    /// # Errors
    /// If they are not of that form: the plan is of another version, or was edited.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, SpecError> {
        T::deserialize(&self.with).map_err(|source| SpecError::Form {
            kind: self.kind.clone(),
            source,
        })
    }
}

/// Why a stored kind could not be built.
#[derive(Debug, Error)]
pub enum SpecError {
    /// The slice has no kind of this name.
    #[error("there is no {noun} of kind {kind:?}")]
    Unknown {
        /// The family's word.
        noun: &'static str,
        /// The name that was asked for.
        kind: String,
    },
    /// The parameters are not those of the kind.
    #[error("the parameters of {kind:?} have another form")]
    Form {
        /// The kind's name.
        kind: String,
        /// What serde says.
        source: serde_json::Error,
    },
}

/// A kind: its description and its constructor.
pub struct Kind<T: ?Sized + 'static> {
    /// What is said of it.
    pub info: KindInfo,
    /// Builds it from its stored form.
    pub build: fn(&Spec) -> Result<Box<T>, SpecError>,
}

/// Builds the kind that `spec` names out of its family's slice.
///
/// # Errors
/// If the slice has no such kind, or the parameters have another form.
pub fn build<T: ?Sized>(
    kinds: &[Kind<T>],
    family: Family,
    spec: &Spec,
) -> Result<Box<T>, SpecError> {
    let kind = kinds
        .iter()
        .find(|kind| kind.info.name == spec.kind)
        .ok_or_else(|| SpecError::Unknown {
            noun: family.noun(),
            kind: spec.kind.clone(),
        })?;
    (kind.build)(spec)
}
