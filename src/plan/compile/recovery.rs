//! Recovery policies: a preset, and what is changed of it.
//!
//! Pure.

use super::Context;
use crate::diag::codes;
use crate::plan::{RecoveryPlan, RetryPlan};
use crate::scenario::written::{Recovery, Retry, Workload};

pub(super) fn compile(context: &mut Context<'_>, workload: &Workload, path: &str) -> RecoveryPlan {
    let settings = match &workload.recovery {
        Recovery::Preset(preset) => return RecoveryPlan::preset(preset),
        Recovery::Settings(settings) => settings,
    };
    let path = format!("{path}.recovery");
    let preset = RecoveryPlan::preset(&settings.preset);
    let mut plan = preset.clone();
    if let Some(lost) = &settings.lost {
        plan.lost_statuses.clone_from(lost);
    }
    plan.reinitialise = settings.reinitialise.unwrap_or(preset.reinitialise);
    plan.retries = settings.resend.unwrap_or(preset.retries);
    plan.resumes = settings.resume.unwrap_or(preset.resumes);
    if let Some(retry) = &settings.retry {
        check_retry(context, retry, &format!("{path}.retry"));
        plan.retry = RetryPlan {
            attempts: retry.attempts,
            methods: retry.methods.clone(),
            classes: retry.classes.clone(),
            statuses: retry.statuses.clone(),
            backoff: retry.backoff,
            max_backoff: retry.max_backoff,
            honour_retry_after: retry.retry_after,
        };
    }
    if settings.resend.is_some_and(|resend| resend > 0) && !plan.reinitialise {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.resend"),
            "a call is sent again in the new session, and there is none",
            "expected `reinitialise = true` beside it",
            None,
        );
    }
    if plan != preset {
        plan.name.push('+');
    }
    plan
}

fn check_retry(context: &mut Context<'_>, retry: &Retry, path: &str) {
    if retry.attempts > 0
        && retry.classes.is_empty()
        && retry.statuses.is_empty()
        && !retry.retry_after
    {
        context.report(
            &codes::CONFLICT,
            path,
            "nothing says after which failures a call is sent again",
            "expected `classes`, `statuses` or `retry_after = true`",
            None,
        );
    }
    if retry.backoff > retry.max_backoff {
        context.report(
            &codes::CONFLICT,
            &format!("{path}.backoff"),
            "the first pause is longer than the longest",
            "expected at most `max_backoff`",
            None,
        );
    }
}
