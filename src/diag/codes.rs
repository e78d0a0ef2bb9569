//! Every code that a diagnostic can have, with what it means; `mcpload explain CODE` prints this table.
//!
//! Pure. A code is stable: it is never renamed or given another meaning. Each has a wrong scenario in `fixtures/bad/`.

/// A stable name for one way in which a scenario can be wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The name: kebab-case.
    pub name: &'static str,
    /// What it means and what to do, in a sentence or two.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($constant:ident $name:literal $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Code = Code { name: $name, meaning: $meaning };
        )*

        /// Every code, in the order of documents.
        pub const CODES: &[Code] = &[$($constant),*];
    };
}

codes! {
    SYNTAX "syntax" "The text is not TOML. Nothing else is checked until it is."
    TOO_LARGE "too-large" "The scenario, or a part of it, is larger than mcpload reads."
    UNKNOWN_KEY "unknown-key" "The table has no such key."
    MISSING_KEY "missing-key" "A key that the table needs is not there."
    WRONG_TYPE "wrong-type" "The value is of another TOML type than the key takes."
    BAD_VALUE "bad-value" "The value is of the right type, but not in the form that the key takes: durations, rates, shares and sizes are texts with a unit, names start with a letter."
    OUT_OF_RANGE "out-of-range" "The value is below the least or above the greatest that the key takes."
    UNKNOWN_WORD "unknown-word" "The key takes one of a few words, and this is none of them."
    UNKNOWN_KIND "unknown-kind" "There is no driver, profile, fault or check of this kind; `mcpload list` shows those that exist."
    NOT_YET "not-yet" "mcpload knows this, but this version does not act on it yet; it refuses rather than ignores it."
    SECRET_LITERAL "secret-literal" "A secret stands in the scenario as it is. Say where it can be read instead: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`."
    MISSING_VARIABLE "missing-variable" "`{{ env.NAME }}` names an environment variable that is not set."
    BAD_TEMPLATE "bad-template" "A `{{ ... }}` is not closed, or names something that does not exist there."
    BAD_OVERRIDE "bad-override" "A `--set` is not of the form `path=value`, or its path leads nowhere."
    UNKNOWN_VARIANT "unknown-variant" "`--variant` names a variant that the scenario does not have."
    CONFLICT "conflict" "Keys exclude each other, or exactly one of several is needed."
    DUPLICATE_NAME "duplicate-name" "Two things of one sort have the same name; names are how faults, windows, checks and reports speak of them."
    UNKNOWN_ROLE "unknown-role" "The fleet has no role of this name."
    UNKNOWN_SLOT "unknown-slot" "The role has no slot of this name; slots are called ROLE-NUMBER and count from 1."
    UNKNOWN_PHASE "unknown-phase" "The scenario has no phase of this name."
    UNKNOWN_FAULT "unknown-fault" "The scenario has no fault of this name."
    UNKNOWN_OPERATION "unknown-operation" "The workload has no operation of this name."
    UNKNOWN_WORKLOAD "unknown-workload" "The scenario has no workload of this name."
    BAD_MOMENT "bad-moment" "A moment is `PHASE`, `PHASE + DURATION`, `FAULT begins + DURATION` or `FAULT heals + DURATION`; it lies inside its phase and before the end of the load."
    BAD_WINDOW "bad-window" "A window is `measured`, the name of a phase, or `before`, `during` or `after` and the name of a fault, and it is not empty."
    CYCLE "cycle" "Things wait for each other in a circle."
    NO_COMMAND "no-command" "The role has no command, and only `server` and `balancer` have one by default."
    NO_TARGET "no-target" "The fault would act on nothing."
    BLAST_RADIUS "blast-radius" "The fault would touch what `[blast_radius]` spares, or faults would hold more at one time than it allows."
    NOT_ALLOWED "not-allowed" "The fault acts on what the run did not deploy, and the scenario does not allow that: `allow_external = true` in the table of the fleet."
    NOT_CAPABLE "not-capable" "The fleet's driver cannot do what the fault needs."
    NO_LOAD "no-load" "A phase says nothing about the load, or no workload ever has any."
    MIXED_MODELS "mixed-models" "A workload has open arrivals in one phase and closed users in another; its clients cannot be both."
    NO_FILE "no-file" "A file that the scenario names cannot be read; relative paths count from the scenario's own directory."
    BAD_DATA "bad-data" "A data file is no table: CSV whose first line names the columns and whose other lines have as many fields."
    MAX_RATE "max-rate" "The load on a fleet that the run did not deploy would exceed `max_rate`."
    UNDECIDABLE "undecidable" "The check can never be decided: even if nothing at all goes wrong, the run has too few samples or is too short."
    TOO_MANY_FILES "too-many-files" "A process would need more open files (sockets included) than it is allowed."
}

impl Code {
    /// The code of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CODES.iter().find(|code| code.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_found() {
        for code in CODES {
            assert!(
                code.name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            assert_eq!(Code::find(code.name), Some(code));
        }
        let mut names: Vec<_> = CODES.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
    }
}
