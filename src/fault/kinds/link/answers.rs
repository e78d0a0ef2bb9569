//! `answers`: answers become other bytes: other statuses, cut streams, swapped ids, broken JSON, by method, tool, session and number.

use serde_json::Value;

use super::{SHARE, build};
use crate::fault::Fault;
use crate::fault::link::toxic::{Answers, Toxic};
use crate::fault::wire::Rule;
use crate::registry::{Acts, Field, Kind, KindInfo, Need, Problem, Ty};

/// Reads each rule as the proxy will.
fn are_rules(with: &Value) -> Result<(), Problem> {
    let rules = with.get("rules").and_then(Value::as_array);
    let texts = rules.into_iter().flatten().filter_map(Value::as_str);
    let mut none = true;
    for text in texts {
        none = false;
        text.parse::<Rule>().map_err(|error| Problem {
            key: "rules",
            message: format!("`{text}` is no rule: {error}"),
            hint: None,
        })?;
    }
    if none {
        return Err(Problem {
            key: "rules",
            message: "there is no rule".to_owned(),
            hint: None,
        });
    }
    Ok(())
}

/// Changes answers of the target's HTTP and MCP as rules say (`mcpload explain wire-rules` names them).
pub(in crate::fault::kinds) const KIND: Kind<dyn Fault> = Kind {
    info: KindInfo {
        name: "answers",
        summary: "changes answers of the target's HTTP and MCP as rules say (`mcpload explain wire-rules` names them)",
        example: "[[fault]]\nname = \"unavailable\"\nkind = \"answers\"\ntarget = { role = \"server\", count = 1 }\nat = \"chaos + 1s\"\nduration = \"3s\"\nrules = [\"status=503,share=50%\"]",
        fields: &[
            SHARE,
            Field {
                key: "rules",
                ty: Ty::List(&Ty::Text),
                need: Need::Required,
                summary: "`ACTION[=ARGUMENT][,CONDITION[=VALUE]…]` each; the first that hits a request acts on its answer",
                example: "[\"status=429,retry-after=2,tool=echo,nth=3\", \"cut-stream=2\"]",
                acts: Acts::Now,
            },
        ],
        validate: are_rules,
        acts: Acts::Now,
    },
    build: |spec| build::<Answers>(spec, Toxic::Answers),
};
