//! A run that has ended, and what it found.

use serde_json::Value;

use crate::support::{Run, scenario};

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) run: Run,
    pub(crate) code: Option<i32>,
    pub(crate) findings: Vec<Value>,
}

impl Ended {
    pub(crate) fn of(name: &str, seed: &str) -> Self {
        let mut run = Run::start(&scenario(name), &["--set", seed]);
        let code = run.exit_code();
        run.assert_nothing_left();
        let summary = run.json("report/summary.json");
        assert_eq!(
            summary["verdict"]["exit"].as_i64(),
            code.map(i64::from),
            "the report and the process disagree\n{}",
            run.printed()
        );
        let findings = summary["findings"].as_array().unwrap().clone();
        Self {
            run,
            code,
            findings,
        }
    }

    /// What it found, for messages.
    pub(crate) fn told(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|finding| {
                format!(
                    "{} {} ({}): {}",
                    finding["answer"], finding["name"], finding["kind"], finding["headline"]
                )
            })
            .collect();
        format!("{}\n{}", lines.join("\n"), self.run.printed())
    }

    pub(crate) fn with_answer(&self, answer: &str) -> Vec<&Value> {
        self.findings
            .iter()
            .filter(|finding| finding["answer"] == answer)
            .collect()
    }

    /// The slot that the fault hit.
    pub(crate) fn victim(&self) -> String {
        let plan = self.run.json("plan.json");
        plan["faults"][0]["targets"][0].as_str().unwrap().to_owned()
    }

    /// Asserts that one finding fails, of this kind, that its first line names the slot first, and that nothing else
    /// is short of a pass.
    pub(crate) fn fails_only(&self, code: i32, kind: &str, slot: &str) {
        let told = || self.told();
        assert_eq!(self.code, Some(code), "{}", told());
        let failing = self.with_answer("fail");
        assert_eq!(failing.len(), 1, "{}", told());
        assert_eq!(failing[0]["kind"], kind, "{}", told());
        let headline = failing[0]["headline"].as_str().unwrap();
        assert!(
            headline.starts_with(&format!("{slot}:")),
            "{slot} is not named first: {headline}\n{}",
            told()
        );
        assert_eq!(self.with_answer("inconclusive").len(), 0, "{}", told());
    }

    /// Asserts that `mcpload report` renders the same bytes again and says the same.
    pub(crate) fn reports_the_same_again(&self) {
        let before = self.run.report_files();
        assert!(before.len() >= 5, "{:?}", before.keys());
        assert_eq!(self.run.report(), self.code);
        let after = self.run.report_files();
        assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
        for (name, bytes) in &before {
            assert!(
                after[name] == *bytes,
                "report/{name} was rendered differently"
            );
        }
    }
}
