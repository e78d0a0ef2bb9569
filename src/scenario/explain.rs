//! `mcpload explain WORD` and `mcpload list`: what the tables, the kinds and the codes say, as text.
//!
//! Pure.

use std::fmt::Write as _;

use super::keys::{Key, keys};
use super::reader::describe;
use crate::catalog::{Catalog, Named};
use crate::diag::{Code, closest, codes::CODES};
use crate::registry::{Acts, Family, Field, KindInfo, Need, Ty};

/// What is known of a key (`replicas`, `fleet.role.NAME.replicas`), a kind (`kill`) or a code (`not-yet`); none if nothing is.
pub fn explain(catalog: &Catalog, word: &str) -> Option<String> {
    let word = word.trim();
    let mut parts: Vec<String> = Vec::new();
    for family in Family::ALL {
        match catalog.find(family, word) {
            Some(Named::Kind(info)) => parts.push(explain_kind(family, info)),
            Some(Named::Later(summary)) => {
                parts.push(format!("{word} ({}): {summary}; not yet\n", family.noun()));
            }
            None => {}
        }
    }
    if let Some(code) = Code::find(word) {
        parts.push(format!(
            "{} (code of a diagnostic)\n  {}\n",
            code.name, code.meaning
        ));
    }
    let keys = keys(catalog);
    parts.extend(
        keys.iter()
            .filter(|key| is_called(key, word))
            .map(explain_key),
    );
    for family in Family::ALL {
        if family.tag() == word && family != Family::Fault && family != Family::Report {
            parts.push(format!(
                "{word}: names a {}: {}\n",
                family.noun(),
                catalog.names(family).join(", ")
            ));
        }
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// A known word that `word` was likely meant to be.
pub fn near(catalog: &Catalog, word: &str) -> Option<String> {
    let keys = keys(catalog);
    let kinds = Family::ALL.into_iter().flat_map(|family| {
        let later = catalog.later(family);
        catalog
            .names(family)
            .into_iter()
            .chain(later.into_iter().map(|(name, _)| name))
    });
    let codes = CODES.iter().map(|code| code.name);
    let words = keys
        .iter()
        .map(|key| key.field.key)
        .chain(kinds)
        .chain(codes);
    closest(word, words).map(str::to_owned)
}

fn is_called(key: &Key, word: &str) -> bool {
    if !word.contains('.') {
        return key.field.key == word;
    }
    // `phase.rate` means `phase[].rate`, and `fleet.role.server.replicas` means `fleet.role.NAME.replicas`.
    let plain = key.path.replace("[]", "");
    let mut wanted = word.split('.');
    let mut has = plain.split('.');
    loop {
        match (has.next(), wanted.next()) {
            (None, None) => return true,
            (Some(part), Some(word)) => {
                let bare = part.split('(').next().unwrap_or(part);
                if part != word && bare != word && part != "NAME" {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

fn explain_key(key: &Key) -> String {
    let field = &key.field;
    let mut text = format!("{}\n  {}\n", key.path, field.summary);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  type:     {}", in_words(&field.ty));
    let _ = match field.need {
        Need::Required => writeln!(text, "  default:  none, it must be given"),
        Need::Optional => writeln!(text, "  default:  none, it may be left out"),
        Need::Default(value) => writeln!(text, "  default:  {value}"),
    };
    let _ = writeln!(text, "  example:  {} = {}", field.key, field.example);
    if field.acts == Acts::NotYet {
        text.push_str("  not yet:  this version refuses it\n");
    }
    for (number, member) in members(&field.ty).iter().enumerate() {
        let head = if number == 0 { "keys:" } else { "" };
        let _ = writeln!(text, "  {head:<9} {}: {}", member.key, member.summary);
    }
    text
}

/// The keys of a table, or of the tables in a list, a map or one of several forms.
fn members(ty: &Ty) -> &'static [Field] {
    match ty {
        Ty::Table(fields) => fields,
        Ty::List(one) | Ty::Map(one) => members(one),
        Ty::Either(forms) => forms
            .iter()
            .map(members)
            .find(|found| !found.is_empty())
            .unwrap_or_default(),
        _ => &[],
    }
}

/// A type with its range.
fn in_words(ty: &Ty) -> String {
    match ty {
        Ty::Duration { min, max } => {
            let human = |nanos| humantime::format_duration(std::time::Duration::from_nanos(nanos));
            format!("{}, from {} to {}", describe(ty), human(*min), human(*max))
        }
        _ => describe(ty),
    }
}

fn explain_kind(family: Family, info: &KindInfo) -> String {
    let mut text = format!("{} ({})\n  {}\n", info.name, family.noun(), info.summary);
    if info.acts == Acts::NotYet {
        text.push_str("  not yet:  this version refuses it\n");
    }
    for field in info.fields {
        let _ = writeln!(
            text,
            "  {:<20} {}; {}",
            field.key,
            field.summary,
            need(field)
        );
    }
    if !info.example.is_empty() {
        text.push_str("  example:\n");
        for line in info.example.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn need(field: &Field) -> String {
    let ty = in_words(&field.ty);
    match field.need {
        Need::Required => format!("{ty}, must be given"),
        Need::Optional => format!("{ty}, may be left out"),
        Need::Default(value) => format!("{ty}, {value} by default"),
    }
}

/// Every kind of every family, and what does not act yet.
pub fn list(catalog: &Catalog) -> String {
    let mut text = String::new();
    for family in Family::ALL {
        let kinds = catalog.kinds(family);
        let later = catalog.later(family);
        if kinds.is_empty() && later.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{}s", family.noun());
        for info in kinds.iter().filter(|info| info.acts == Acts::Now) {
            let _ = writeln!(text, "  {:<16} {}", info.name, info.summary);
        }
        if !later.is_empty() {
            let names: Vec<&str> = later.iter().map(|(name, _)| *name).collect();
            let _ = writeln!(text, "  not yet: {}", names.join(", "));
        }
        text.push('\n');
    }
    text
}
