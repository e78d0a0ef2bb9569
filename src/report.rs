//! Reports: renderings of one [`Report`] value.
//!
//! Pure. No number is computed below this line: what a format prints stands in the Report, which is also `summary.json`.

use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::check::{Finding, Verdict};

/// The version of `summary.json`; it is 0.x, and may break, until the first release.
pub const SUMMARY_VERSION: &str = "0.1";

/// What is printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this layout.
    pub version: String,
    /// The answer of the whole run.
    pub verdict: Verdict,
    /// Every objective's and check's answer: worst first, then in the order of the scenario.
    pub findings: Vec<Finding>,
    /// The numbers.
    pub analysis: Analysis,
}

/// A report format.
pub trait Reporter: Send + Sync {
    /// The files that it writes below `report/`: name and content.
    ///
    /// # Errors
    /// If the format's library refuses.
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError>;
}

/// Why a format could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("cannot render {format}")]
pub struct RenderError {
    /// The format's name.
    pub format: &'static str,
    /// What its library says.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
