//! The report formats. Adding one: a file beside this one that ends in `KIND`, and a line here.
//!
//! Pure.

use super::{Reporter, csv, html, json, junit, markdown, text};
use crate::registry::Kind;

/// Every report format, in the order of documents.
pub const REPORTS: &[Kind<dyn Reporter>] = &[
    text::KIND,
    markdown::KIND,
    json::KIND,
    csv::KIND,
    junit::KIND,
    html::KIND,
];
