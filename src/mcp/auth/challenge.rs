//! Challenges: what a `WWW-Authenticate` header asks for (RFC 9110, section 11.6.1; RFC 6750, section 3; RFC 9728, section 5.1).
//!
//! Pure. One header may hold several challenges; schemes and parameter names are case-insensitive; of a parameter that is
//! there twice the first counts. Where the text stops making sense, reading stops, and what was read before counts: a
//! server's slip in one challenge does not hide another. Linear in time, and bounded. Next: `auth::authority` acts on it.

/// The longest header that is read, bytes.
const MAX_HEADER: usize = 16 << 10;
/// The most challenges, and the most parameters of one, that are kept.
const MAX_PARTS: usize = 32;

/// What a `Bearer` challenge says; other parameters don't matter to a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the metadata of the protected resource are.
    pub resource_metadata: Option<String>,
    /// The scopes that are needed, parted by spaces.
    pub scope: Option<String>,
    /// Why the request was refused.
    pub error: Option<String>,
}

/// The `Bearer` challenge of a header: the first that says where the metadata are, else the first; `None` without any. Several
/// headers of one answer are to be joined by commas, which means the same.
pub fn bearer(header: &str) -> Option<Challenge> {
    let mut found: Option<Challenge> = None;
    for one in parse(header) {
        if !one.scheme.eq_ignore_ascii_case("bearer") {
            continue;
        }
        let challenge = Challenge {
            resource_metadata: one.parameter("resource_metadata"),
            scope: one.parameter("scope"),
            error: one.parameter("error"),
        };
        if challenge.resource_metadata.is_some() {
            return Some(challenge);
        }
        found.get_or_insert(challenge);
    }
    found
}

/// One challenge as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Written<'a> {
    scheme: &'a str,
    parameters: Vec<(&'a str, String)>,
}

impl Written<'_> {
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    }
}

fn parse(header: &str) -> Vec<Written<'_>> {
    let mut challenges: Vec<Written<'_>> = Vec::new();
    if header.len() > MAX_HEADER {
        return challenges;
    }
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (name, after) = take(rest, is_token_byte);
        if name.is_empty() {
            return challenges;
        }
        if let Some(value) = trimmed(after).strip_prefix('=') {
            let Some((value, after)) = parameter_value(trimmed(value)) else {
                return challenges;
            };
            // A parameter before any scheme belongs to nothing.
            let Some(challenge) = challenges.last_mut() else {
                return challenges;
            };
            if challenge.parameters.len() < MAX_PARTS {
                challenge.parameters.push((name, value));
            }
            rest = after;
        } else {
            if challenges.len() == MAX_PARTS {
                return challenges;
            }
            challenges.push(Written {
                scheme: name,
                parameters: Vec::new(),
            });
            rest = after_token68(after).unwrap_or(after);
        }
    }
}

/// What follows the credentials in the other form, `Negotiate YWJj==`, which say nothing to us. `None` if there are none.
fn after_token68(after_scheme: &str) -> Option<&str> {
    let (token, after) = take(trimmed(after_scheme), is_token68_byte);
    if token.is_empty() {
        return None;
    }
    let after = after.trim_start_matches('=');
    let ends = trimmed(after);
    (ends.is_empty() || ends.starts_with(',')).then_some(after)
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = take(text, is_token_byte);
        return (!value.is_empty()).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
    None
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn take(text: &str, belongs: fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !belongs(byte));
    // All bytes that belong are ASCII, so the place is a boundary.
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""))
}

/// `tchar` of RFC 9110.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What `token68` of RFC 9110 is made of, before its padding.
fn is_token68_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn challenge(resource: Option<&str>, scope: Option<&str>, error: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge {
            resource_metadata: owned(resource),
            scope: owned(scope),
            error: owned(error),
        }
    }

    #[test]
    fn the_parameters_of_a_bearer_challenge_are_read() {
        let cases = [
            ("Bearer", challenge(None, None, None)),
            (
                r#"Bearer realm="a, b=c", resource_metadata="https://h/x?a=b,c", scope="r w""#,
                challenge(Some("https://h/x?a=b,c"), Some("r w"), None),
            ),
            (
                r#"bEARER Error=invalid_token , SCOPE = "a\"b\\c""#,
                challenge(None, Some(r#"a"b\c"#), Some("invalid_token")),
            ),
            // Without commas, as some servers write it.
            (
                r#"Bearer error="insufficient_scope" scope="w""#,
                challenge(None, Some("w"), Some("insufficient_scope")),
            ),
            (
                r#"Bearer scope="first", scope="second""#,
                challenge(None, Some("first"), None),
            ),
        ];
        for (header, expected) in cases {
            assert_eq!(bearer(header), Some(expected), "{header}");
        }
    }

    #[test]
    fn a_bearer_challenge_is_found_among_others() {
        let header = r#"Negotiate YWJj==, Basic realm="Bearer scope=x", Newauth, Bearer error=one, , Bearer resource_metadata="u", Digest qop="auth,auth-int", nonce="x""#;
        assert_eq!(bearer(header), Some(challenge(Some("u"), None, None)));
        assert_eq!(bearer(r#"Basic realm="x", scope="not ours""#), None);
        assert_eq!(bearer("Negotiate"), None);
        // The parameters of the scheme before it are not its own.
        let header = r#"DPoP algs="ES256", error="use_dpop_nonce", Bearer scope=s"#;
        assert_eq!(bearer(header), Some(challenge(None, Some("s"), None)));
    }

    #[test]
    fn what_makes_no_sense_ends_the_reading_and_hides_nothing_before_it() {
        for (header, scope) in [
            (r#"Bearer scope="s", error="never closed"#, Some("s")),
            (r#"Bearer scope="s", error="ends in \"#, Some("s")),
            (r#"Bearer scope="s", ="x""#, Some("s")),
            ("Bearer scope=s, error=", Some("s")),
            ("Bearer scope=s \u{1F600} error=x", Some("s")),
            ("Bearer scope=", None),
        ] {
            assert_eq!(bearer(header).unwrap().scope.as_deref(), scope, "{header}");
        }
        for nothing in ["", ",,,", "=", "\"", r#"scope="x""#, "\u{e9}"] {
            assert_eq!(bearer(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_flood_is_bounded() {
        assert_eq!(
            bearer(&format!("Bearer scope=\"{}\"", "x".repeat(MAX_HEADER))),
            None
        );
        assert_eq!(parse(&"a,".repeat(4_000)).len(), MAX_PARTS);
        let many = parse("Bearer a=b,c=d,").len();
        assert_eq!(many, 1);
        let flood = format!("Bearer {}", "a=b,".repeat(4_000));
        assert_eq!(parse(&flood)[0].parameters.len(), MAX_PARTS);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text in ".{0,200}") {
            let _ = bearer(&text);
        }

        #[test]
        fn a_quoted_value_comes_back_as_it_was(value in "[ -~]{0,60}") {
            let written = value.replace('\\', "\\\\").replace('"', "\\\"");
            let read = bearer(&format!("Basic x=\"y\", Bearer scope=\"{written}\", error=e")).unwrap();
            prop_assert_eq!(read.scope, Some(value));
            prop_assert_eq!(read.error.as_deref(), Some("e"));
        }
    }
}
