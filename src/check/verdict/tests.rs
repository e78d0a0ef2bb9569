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
