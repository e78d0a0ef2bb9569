//! What a plan refuses of operations: settings that their method does not have, and values that nobody kept.

use super::{refuse, with_phase};

fn operation(rest: &str) -> String {
    with_phase(&format!("[workload]\n[[workload.operation]]\n{rest}\n"))
}

#[test]
fn a_completion_says_what_is_completed() {
    let complete = |rest: &str| operation(&format!("call = \"completion/complete\"\n{rest}"));
    refuse(&[
        (
            complete("prompt = \"greeting\""),
            "missing-key",
            "which argument is completed",
            "[[workload.operation]]",
        ),
        (
            complete("prompt = \"greeting\"\narguments = { name = \"who\" }"),
            "bad-value",
            "which argument is completed",
            "arguments =",
        ),
        (
            complete(
                "prompt = \"greeting\"\nuri = \"mem://{id}\"\narguments = { name = \"who\", value = \"\" }",
            ),
            "conflict",
            "takes `uri` or `prompt`",
            "prompt =",
        ),
        (
            complete("arguments = { name = \"who\", value = \"\" }"),
            "missing-key",
            "has no `prompt` or `uri`",
            "[[workload.operation]]",
        ),
    ]);
}

#[test]
fn only_lists_have_pages() {
    refuse(&[
        (
            operation("tool = \"echo\"\narguments = { text = \"a\" }\npages = 2"),
            "conflict",
            "have no pages",
            "pages =",
        ),
        (
            operation("call = \"tools/list\"\npages = 1001"),
            "out-of-range",
            "is 1001",
            "pages =",
        ),
        (
            operation("call = \"tools/list\"\npages = \"some\""),
            "unknown-word",
            "\"some\"",
            "pages =",
        ),
        (
            operation("call = \"tools/list\"\narguments = { cursor = \"a\" }"),
            "conflict",
            "takes no arguments",
            "arguments =",
        ),
    ]);
}

#[test]
fn an_expectation_is_of_something_that_the_answer_has() {
    let list = |expect: &str| operation(&format!("call = \"tools/list\"\nexpect = {{ {expect} }}"));
    refuse(&[
        (
            list("equals = \"a\""),
            "conflict",
            "hold no text",
            "expect =",
        ),
        (
            list("schema = true"),
            "conflict",
            "have no output schema",
            "expect =",
        ),
        (
            list("status = 404, json = { \"$.a\" = 1 }"),
            "conflict",
            "has no result",
            "expect =",
        ),
        (
            list("json = { \"a.b\" = 1 }"),
            "bad-value",
            "`a.b` is no JSON path",
            "expect =",
        ),
        (
            list("json = { \"$.a\" = [\"{{ nonsense }}\"] }"),
            "bad-template",
            "`{{ nonsense }}` means nothing here",
            "expect =",
        ),
    ]);
}

#[test]
fn what_is_kept_has_a_name_and_a_path() {
    refuse(&[
        (
            operation("call = \"tools/list\"\nkeep = { next = \"nextCursor\" }"),
            "bad-value",
            "`nextCursor` is no JSON path",
            "keep =",
        ),
        (
            operation("call = \"tools/list\"\nkeep = { \"a b\" = \"$.a\" }"),
            "bad-value",
            "`a b` is no name",
            "keep =",
        ),
    ]);
}

#[test]
fn a_step_takes_only_what_an_earlier_one_of_its_journey_kept() {
    let journey = |steps: &str| {
        operation(&format!(
            "name = \"open\"\ntool = \"open\"\nkeep = {{ handle = \"$.handle\" }}\nweight = 0\n\
             [[workload.operation]]\nname = \"use\"\ntool = \"use\"\narguments = {{ it = [\"{{{{ kept.handle }}}}\"] }}\nweight = 0\n\
             [[workload.operation]]\nname = \"visit\"\n{steps}"
        ))
    };
    refuse(&[
        (
            journey("steps = [\"use\", \"open\"]"),
            "bad-template",
            "`use` takes `kept.handle`, which no earlier step keeps",
            "steps =",
        ),
        (
            operation("tool = \"echo\"\narguments = { text = \"{{ kept.handle }}\" }"),
            "bad-template",
            "the operation is done by itself",
            "arguments =",
        ),
        (
            operation("call = \"tools/list\"\nexpect = { json = { \"$.a\" = \"{{ kept.a }}\" } }"),
            "bad-template",
            "the operation is done by itself",
            "expect =",
        ),
    ]);
}

#[test]
fn a_journey_is_cancelled_as_a_whole() {
    refuse(&[
        (
            operation(
                "call = \"ping\"\ncancel = { share = \"1%\", after = \"1s\" }\n\
                 [[workload.operation]]\nname = \"visit\"\nsteps = [\"ping\"]",
            ),
            "conflict",
            "`ping` has `cancel`",
            "steps =",
        ),
        (
            operation(
                "call = \"ping\"\n[[workload.operation]]\nname = \"visit\"\nsteps = [\"ping\"]\nprogress = true",
            ),
            "conflict",
            "a journey has no `progress` of its own",
            "progress =",
        ),
    ]);
}
