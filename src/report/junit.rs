//! `junit.xml`: a test case for each finding, for CI systems.
//!
//! Pure. A failed finding is a `failure`. An inconclusive one is an `error` of the type `inconclusive`, so that a CI is red for
//! it too (exit code 7); where the run was told to let it pass (the verdict is inconclusive, its exit code 0) it is `skipped`. A
//! run that is not green for a reason that no finding names, or that has no findings, gets one more case, `verdict`: no data
//! is never a pass. There is no clock here: the only time stamp is the start that the run recorded.

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::{RenderError, Report, Reporter, words};
use crate::check::{Answer, Finding};
use crate::registry::{Acts, Kind, KindInfo, no_further_check};

/// The name of its file.
pub const FILE: &str = "junit.xml";

struct Junit;

impl Reporter for Junit {
    fn render(&self, report: &Report) -> Result<Vec<(&'static str, Vec<u8>)>, RenderError> {
        let mut document = quick_junit::Report::new("mcpload");
        document.add_test_suite(suite(report));
        let xml = document.to_string().map_err(|source| RenderError {
            format: KIND.info.name,
            source: Box::new(source),
        })?;
        Ok(vec![(FILE, xml.into_bytes())])
    }
}

fn suite(report: &Report) -> TestSuite {
    let run = &report.analysis.run;
    let mut suite = TestSuite::new(words::visible(&run.name));
    if let Ok(started) = run.started.parse::<jiff::Timestamp>() {
        suite
            .extra
            .insert("timestamp".into(), started.to_string().into());
    }
    suite.add_properties([
        Property::new("verdict", report.verdict.answer.name()),
        Property::new("exit", report.verdict.exit.to_string()),
        Property::new("run", words::visible(&run.id)),
        Property::new("seed", run.seed.0.to_string()),
        Property::new("mcpload", words::visible(&run.tool)),
    ]);
    let let_pass = report.verdict.exit == 0;
    for finding in &report.findings {
        suite.add_test_case(case(finding, report, let_pass));
    }
    let named = report
        .findings
        .iter()
        .any(|finding| finding.answer != Answer::Pass);
    if report.findings.is_empty() || (report.verdict.exit != 0 && !named) {
        suite.add_test_case(verdict_case(report));
    }
    suite
}

fn case(finding: &Finding, report: &Report, let_pass: bool) -> TestCase {
    let headline = words::visible(&finding.headline);
    let mut status = status(finding.answer, let_pass);
    if finding.answer != Answer::Pass {
        let mut body = vec![headline.clone()];
        body.extend(finding.evidence.iter().map(|line| words::visible(line)));
        body.push(words::plural(finding.samples, "sample"));
        if finding.line > 0 {
            body.push(format!(
                "scenario: {}:{}",
                words::visible(&report.analysis.run.source),
                finding.line
            ));
        }
        status.set_message(headline.clone());
        status.set_description(body.join("\n"));
    }
    let mut case = TestCase::new(words::visible(&finding.name), status);
    case.set_classname(format!(
        "{}.{}",
        words::visible(&report.analysis.run.name),
        words::visible(&finding.kind)
    ));
    if finding.answer == Answer::Pass {
        case.set_system_out(headline);
    }
    case
}

/// The case for a verdict that no finding explains.
fn verdict_case(report: &Report) -> TestCase {
    let headline = words::visible(&report.verdict.headline);
    let answer = match report.verdict.answer {
        // A run that ends with another code than 0 is never green, whatever its findings say.
        Answer::Pass if report.verdict.exit != 0 => Answer::Inconclusive,
        answer => answer,
    };
    let mut status = status(answer, report.verdict.exit == 0);
    if answer != Answer::Pass {
        status.set_message(headline);
        status.set_description(words::ending(report.analysis.ending));
    }
    let mut case = TestCase::new("verdict", status);
    case.set_classname(words::visible(&report.analysis.run.name));
    case
}

fn status(answer: Answer, let_pass: bool) -> TestCaseStatus {
    let (kind, ty) = match answer {
        Answer::Pass => return TestCaseStatus::success(),
        Answer::Inconclusive if let_pass => return TestCaseStatus::skipped(),
        Answer::Inconclusive => (NonSuccessKind::Error, "inconclusive"),
        Answer::Fail => (NonSuccessKind::Failure, "fail"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(ty);
    status
}

/// The findings as JUnit XML.
pub(super) const KIND: Kind<dyn Reporter> = Kind {
    info: KindInfo {
        name: "junit",
        summary: "a test case for each finding: report/junit.xml",
        example: "",
        fields: &[],
        validate: no_further_check,
        acts: Acts::Now,
    },
    build: |_| Ok(Box::new(Junit)),
};
