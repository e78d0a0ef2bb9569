//! Cursors, the empty string among them.

use mcpload::model::{Class, Outcome};
use mcpload::plan::{Method, Pages};
use serde_json::json;

use crate::conductor::run;
use crate::plan;
use crate::support::{LEGACY, MODERN, Server, steps, times};

#[test]
fn all_pages_are_asked_for_and_no_more_than_wanted() {
    for (version, pages, calls) in [
        (LEGACY, Pages::UpTo(100), 4),
        (MODERN, Pages::UpTo(100), 4),
        (LEGACY, Pages::UpTo(3), 3),
        (MODERN, Pages::First, 1),
    ] {
        // Of the fifteen tools the last page has three; the second page's cursor is the empty string.
        let server = Server::start(&[], &["--page-size", "4"]);
        let mut step = plan::step(Method::ToolsList, "", json!(null));
        step.pages = pages;
        let operation = plan::operation("tools", 1, vec![step]);
        let record = run(&times(1, version, operation), &server.url);
        let found: Vec<_> = steps(&record)
            .iter()
            .map(|call| (call.method.as_str(), call.class, call.ends))
            .collect();
        let mut expected = vec![("tools/list", Class::None, None); calls];
        expected[calls - 1].2 = Some(Outcome::Ok);
        assert_eq!(found, expected, "{version} {pages:?}");
        // Every page is another one: pages of the same entries would have the same size.
        let sizes: std::collections::BTreeSet<u64> =
            steps(&record).iter().map(|call| call.bytes_in).collect();
        assert_eq!(sizes.len(), calls, "{version} {pages:?}");
    }
}
