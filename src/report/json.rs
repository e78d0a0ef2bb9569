//! `summary.json`: the Report itself, for machines.
//!
//! Pure. Its layout is versioned (`SUMMARY_VERSION`) and described by `report::schema`.

use super::{RenderError, Report, Reporter};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of its file.
pub const FILE: &str = "summary.json";

struct Json;

impl Reporter for Json {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        let mut bytes = serde_json::to_vec_pretty(report).map_err(|source| RenderError {
            format: KIND.info.name,
            source: Box::new(source),
        })?;
        bytes.push(b'\n');
        Ok(vec![(FILE, bytes)])
    }
}

/// The Report as JSON.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "json",
        summary: "the whole report as one JSON document, described by a schema: report/summary.json",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Json)),
};
