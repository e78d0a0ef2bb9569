//! Reports: renderings of one [`Report`] value.
//!
//! Pure. No number is computed below this line: what a format prints stands in the Report, which is also `summary.json`. The
//! same Report gives the same bytes: no clock, no chance, no order of a hash map. What a server said is hostile; it passes
//! through `words::visible` and then through the escaping of each format. Formats: `kinds`; what they share: `words`,
//! `tables`, `chart`. `live` is the line that is shown while a run lasts.

use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::check::{Finding, Verdict};
use crate::registry::Spec;

pub mod chart;
pub mod csv;
pub mod html;
pub mod json;
pub mod junit;
pub mod kinds;
pub mod live;
pub mod markdown;
pub mod schema;
pub mod tables;
pub mod text;
pub mod words;

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

/// Every file of `report/`: name and content, in the order of `kinds::REPORTS`.
///
/// # Errors
/// If a format cannot be built or rendered.
pub fn render_all(report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
    let mut files = Vec::new();
    for kind in kinds::REPORTS {
        let spec = Spec {
            kind: kind.info.name.to_owned(),
            with: serde_json::Value::Null,
        };
        let reporter = (kind.build)(&spec).map_err(|source| RenderError {
            format: kind.info.name,
            source: Box::new(source),
        })?;
        files.extend(reporter.render(report)?);
    }
    Ok(files)
}
