//! Secrets that stand in a scenario as they are: refused before anything else is said of it, so that no message shows them.
//!
//! Pure. What looks like one: the value of a header that carries one, and a URL with a user or a password. What a tool is
//! called with is the writer's own business.

use super::node::{Entry, Form, Node};
use crate::diag::{Diagnostic, codes};

/// Headers whose values are secrets.
const HEADERS: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
];

/// Reports every secret below `node`.
pub(super) fn refuse(node: &Node, wrong: &mut Vec<Diagnostic>) {
    match &node.form {
        Form::Text(text) | Form::Loose(text) if has_credentials(text) => wrong.push(
            Diagnostic::new(
                &codes::SECRET_LITERAL,
                node.place.clone(),
                "the URL holds a user or a password",
                "expected SCHEME://HOST:PORT/PATH",
            )
            .hint("put it into an environment variable or a file, and name that".to_owned()),
        ),
        Form::List(items) => items.iter().for_each(|item| refuse(item, wrong)),
        Form::Table(entries) => entries.iter().for_each(|entry| refuse_entry(entry, wrong)),
        _ => {}
    }
}

fn refuse_entry(entry: &Entry, wrong: &mut Vec<Diagnostic>) {
    let key = entry.key.to_ascii_lowercase();
    match key.as_str() {
        "arguments" => {}
        key if HEADERS.contains(&key) && entry.node.text().is_some() => wrong.push(
            Diagnostic::new(
                &codes::SECRET_LITERAL,
                entry.node.place.clone(),
                format!("the header `{key}` is a secret and must not stand in the scenario"),
                "expected { env = \"NAME\" } or { file = \"PATH\" }",
            )
            .hint("put it into an environment variable or a file, and name that".to_owned()),
        ),
        _ => refuse(&entry.node, wrong),
    }
}

/// Whether the text has a URL with something before an `@` in its authority.
fn has_credentials(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest
            .split(|one: char| one.is_whitespace() || "/?#\"'".contains(one))
            .next();
        authority.is_some_and(|authority| authority.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_authority_holds_credentials() {
        assert!(has_credentials("--redis=redis://:pass@host:1/0"));
        assert!(has_credentials("http://me@host"));
        for harmless in ["http://host/@me", "me@host", "http://host?a=b@c", ""] {
            assert!(!has_credentials(harmless), "{harmless}");
        }
    }
}
