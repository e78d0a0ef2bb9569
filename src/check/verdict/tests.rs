//! Tests of the merge of findings. Not pure: the analysis beside them is of a run directory.

use proptest::prelude::*;

use super::*;
use crate::judge::built::{Built, Kill};

fn analysis() -> Analysis {
    let directory = tempfile::tempdir().unwrap();
    let kill = Kill {
        outage: std::time::Duration::from_millis(300),
        back: Some(std::time::Duration::from_secs(1)),
    };
    Built::new(kill).write(directory.path());
    crate::judge::judge(directory.path()).unwrap().analysis
}

fn finding(answer: Answer, category: Category) -> Finding {
    Finding {
        name: "x".to_owned(),
        kind: "x".to_owned(),
        category,
        answer,
        headline: "y".to_owned(),
        evidence: Vec::new(),
        samples: 1,
        load_can_cause: false,
        depends_on: Dependence::default(),
        line: 0,
    }
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let answers = [Answer::Pass, Answer::Inconclusive, Answer::Fail];
    let categories = [
        Category::Objective,
        Category::Resilience,
        Category::Validity,
        Category::Healing,
    ];
    (0_usize..3, 0_usize..4)
        .prop_map(move |(answer, category)| finding(answers[answer], categories[category]))
}

#[test]
fn codes_have_their_order() {
    let analysis = analysis();
    let code = |findings: &[(Answer, Category)]| {
        let findings: Vec<Finding> = findings
            .iter()
            .map(|(answer, category)| finding(*answer, *category))
            .collect();
        verdict(&findings, &analysis).exit
    };
    let objective = (Answer::Fail, Category::Objective);
    let resilience = (Answer::Fail, Category::Resilience);
    let validity = (Answer::Fail, Category::Validity);
    let open = (Answer::Inconclusive, Category::Objective);
    assert_eq!(code(&[]), 0);
    assert_eq!(code(&[objective]), 4);
    assert_eq!(code(&[validity, open, resilience]), 6);
    assert_eq!(code(&[objective, resilience]), 6);
    assert_eq!(code(&[objective, (Answer::Fail, Category::Healing)]), 8);
    assert_eq!(code(&[open]), 7);
    assert_eq!(code(&[validity]), 7);
}

#[test]
fn what_keeps_a_run_from_telling_is_said_first() {
    let said = |change: &dyn Fn(&mut Analysis)| {
        let mut analysis = analysis();
        change(&mut analysis);
        // A promise that is open as well: the cause is told, not what follows from it.
        let open = finding(Answer::Inconclusive, Category::Objective);
        verdict(&[open], &analysis).headline
    };
    assert_eq!(said(&|_| {}), "x: y");
    let headline = said(&|analysis| analysis.ending = None);
    assert!(headline.contains("the run was cut"), "{headline}");
    let headline = said(&|analysis| {
        analysis.ending = Some(Ending::Interrupted);
        analysis.troubles = vec!["a signal".to_owned(), "later".to_owned()];
    });
    assert_eq!(headline, "the run was interrupted: a signal");
    let headline = said(&|analysis| analysis.ending = Some(Ending::Failed));
    assert_eq!(headline, "mcpload itself failed");
    let headline = said(&|analysis| analysis.lost_workers = vec![(3, "killed".to_owned())]);
    assert_eq!(headline, "worker 3 was lost: killed");
    let headline = said(&|analysis| {
        for phase in &mut analysis.trust {
            phase.trust = Trust::Invalid;
            phase.reasons = vec!["late".to_owned(), "shed".to_owned()];
        }
    });
    // The warm-up is worth nothing either, but nobody reads its numbers.
    assert_eq!(headline, "`steady` is no measurement: late; shed");
}

#[test]
fn a_check_that_cannot_be_built_is_open_and_says_why() {
    let check = CheckPlan {
        name: "soon".to_owned(),
        spec: crate::registry::Spec {
            kind: "recovery-time".to_owned(),
            with: serde_json::json!({"max": "soon"}),
        },
        fault: None,
        line: 12,
    };
    let finding = evaluate(&check, &analysis());
    assert_eq!((finding.answer, finding.line), (Answer::Inconclusive, 12));
    let headline = finding.headline;
    assert!(
        headline.starts_with("it cannot be evaluated: "),
        "{headline}"
    );
}

proptest! {
    #[test]
    fn a_verdict_never_improves_by_a_failed_finding(
        findings in proptest::collection::vec(any_finding(), 0..8),
        more in any_finding(),
    ) {
        thread_local!(static ANALYSIS: Analysis = analysis());
        ANALYSIS.with(|analysis| {
            let before = verdict(&findings, analysis);
            let mut findings = findings.clone();
            findings.push(Finding { answer: Answer::Fail, ..more });
            let after = verdict(&findings, analysis);
            assert!(after.answer >= before.answer);
            assert!(after.answer != Answer::Pass && after.exit != 0);
        });
    }
}
