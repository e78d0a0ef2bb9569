//! Templates in texts: found, and held to what is known there.
//!
//! Pure. Nothing is filled in here: commands are when a slot is started, arguments when an arrival is due.

/// The longest random text that an argument can ask for, bytes.
const LONGEST_RANDOM: u32 = 65_536;

/// The insides of every `{{ … }}` of a text, trimmed. An unclosed one was refused before.
pub(super) fn templates(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((inner, behind)) = after.split_once("}}") else {
            break;
        };
        found.push(inner.trim());
        rest = behind;
    }
    found
}

/// Whether the template may stand in an argument.
///
/// # Errors
/// What was expected, if not.
pub(super) fn argument(template: &str) -> Result<(), String> {
    if matches!(template, "counter" | "client" | "uid") {
        return Ok(());
    }
    let inside = |name: &str| {
        template
            .strip_prefix(name)
            .and_then(|rest| rest.trim().strip_prefix('('))
            .and_then(|rest| rest.strip_suffix(')'))
    };
    if let Some(count) = inside("random.hex") {
        return match count.trim().parse::<u32>() {
            Ok(count) if (1..=LONGEST_RANDOM).contains(&count) => Ok(()),
            _ => Err(format!(
                "expected a number from 1 to {LONGEST_RANDOM} in `random.hex(N)`"
            )),
        };
    }
    if let Some(range) = inside("random.int") {
        let ends = range.split_once(',').and_then(|(a, b)| {
            Some((a.trim().parse::<i64>().ok()?, b.trim().parse::<i64>().ok()?))
        });
        return match ends {
            Some((a, b)) if a <= b => Ok(()),
            _ => Err(
                "expected two whole numbers in `random.int(A, B)`, the smaller first".to_owned(),
            ),
        };
    }
    Err("expected random.hex(N), random.int(A, B), counter, client, uid or env.NAME".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found() {
        assert_eq!(templates("a {{ b }}{{c}} {{ d"), ["b", "c"]);
    }

    #[test]
    fn only_known_templates_stand_in_arguments() {
        for good in ["counter", "uid", "random.hex(64)", "random.int(-1, 5)"] {
            assert_eq!(argument(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "slot.port",
            "random.hex(0)",
            "random.hex(x)",
            "random.int(5, 1)",
            "random.hex",
        ] {
            assert!(argument(bad).is_err(), "{bad}");
        }
    }
}
