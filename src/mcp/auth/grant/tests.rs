//! What is sent to a token endpoint, and what is made of its answers.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn with_secret(secret: &str) -> Credentials {
    Credentials {
        client_id: "me".to_owned(),
        secret: Some(secret.to_owned()),
        ..Credentials::default()
    }
}

fn with_key() -> Credentials {
    Credentials {
        client_id: "me".to_owned(),
        private_key_pem: Some("PEM".to_owned()),
        ..Credentials::default()
    }
}

fn public() -> Credentials {
    Credentials {
        client_id: "me".to_owned(),
        ..Credentials::default()
    }
}

fn form(request: &Request) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(request.body.as_bytes())
        .into_owned()
        .collect()
}

fn read(status: u16, body: &str) -> Result<Token, AuthError> {
    let url = Url::parse("https://a/token?key=hidden-query").unwrap();
    answer(&url, status, body.as_bytes())
}

#[test]
fn the_method_suits_the_credentials_and_the_server() {
    use TokenAuthentication::{None as Public, PrivateKeyJwt, SecretBasic, SecretPost};
    let lists = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let all = lists(&[
        "none",
        "client_secret_post",
        "client_secret_basic",
        "private_key_jwt",
    ]);
    let cases = [
        (with_secret("s"), Some(all.clone()), Some(SecretBasic)),
        (
            with_secret("s"),
            Some(lists(&["client_secret_post", "none"])),
            Some(SecretPost),
        ),
        (with_secret("s"), Some(lists(&["none"])), None),
        (with_secret("s"), None, Some(SecretBasic)),
        (with_key(), Some(all.clone()), Some(PrivateKeyJwt)),
        (with_key(), Some(lists(&["client_secret_basic"])), None),
        (with_key(), None, Some(PrivateKeyJwt)),
        (public(), Some(all), Some(Public)),
        (public(), Some(lists(&[])), None),
        (public(), None, Some(Public)),
    ];
    for (credentials, offered, expected) in cases {
        let chosen = method(&credentials, offered.as_deref());
        assert_eq!(chosen.ok(), expected, "{credentials:?} {offered:?}");
    }
    let prescribed = Credentials {
        authentication: Some(SecretPost),
        ..with_secret("s")
    };
    assert_eq!(
        method(&prescribed, Some(&lists(&["none"]))).unwrap(),
        SecretPost
    );
}

#[test]
fn the_secret_stands_where_the_method_says_and_nowhere_else() {
    let none = Scopes::default();
    let credentials = with_secret("p:ä+ /%");
    let ask =
        |method| request(&credentials, method, Some("a.b.c"), "https://h/mcp", &none).unwrap();

    let basic = ask(TokenAuthentication::SecretBasic);
    let header = basic.authorization.as_ref().unwrap();
    assert!(header.is_sensitive());
    let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
    assert_eq!(
        STANDARD.decode(encoded).unwrap(),
        b"me:p%3A%C3%A4%2B+%2F%25"
    );
    assert!(!form(&basic).contains_key("client_secret") && !form(&basic).contains_key("client_id"));

    let post = ask(TokenAuthentication::SecretPost);
    assert!(post.authorization.is_none());
    assert_eq!(form(&post)["client_secret"], "p:ä+ /%");
    assert_eq!(form(&post)["client_id"], "me");

    let public = ask(TokenAuthentication::None);
    assert!(public.authorization.is_none() && !form(&public).contains_key("client_secret"));

    let signed = ask(TokenAuthentication::PrivateKeyJwt);
    assert_eq!(form(&signed)["client_assertion"], "a.b.c");
    assert_eq!(form(&signed)["client_assertion_type"], ASSERTION_TYPE);
    assert!(!form(&signed).contains_key("client_id"));
}

#[test]
fn the_resource_is_always_named_and_the_scope_only_if_there_is_one() {
    let ask = |scopes: &Scopes| {
        let method = TokenAuthentication::SecretBasic;
        form(&request(&with_secret("s"), method, None, "https://h/mcp?a=b", scopes).unwrap())
    };
    let without = ask(&Scopes::default());
    assert_eq!(without["grant_type"], "client_credentials");
    assert_eq!(without["resource"], "https://h/mcp?a=b");
    assert!(!without.contains_key("scope"));
    assert_eq!(ask(&Scopes::parse("r w").unwrap())["scope"], "r w");
}

#[test]
fn what_the_method_needs_must_be_there() {
    let none = Scopes::default();
    for method in [
        TokenAuthentication::SecretBasic,
        TokenAuthentication::SecretPost,
        TokenAuthentication::PrivateKeyJwt,
    ] {
        let error = request(&public(), method, None, "r", &none).err().unwrap();
        assert!(matches!(error, AuthError::Credentials { .. }), "{error}");
    }
}

#[test]
fn a_token_is_read_and_not_shown() {
    let body = json!({ "access_token": "hidden.token", "token_type": "bEARER", "expires_in": 3600, "scope": "r" });
    let token = read(200, &body.to_string()).unwrap();
    assert_eq!(token.value.to_str().unwrap(), "Bearer hidden.token");
    assert_eq!(token.lifetime, Some(3_600_000_000_000));
    assert!(!format!("{token:?}").contains("hidden"));
}

#[test]
fn a_lifetime_is_believed_as_far_as_it_makes_sense() {
    let most = i64::try_from(MAX_LIFETIME).unwrap() * 1_000_000_000;
    for (written, expected) in [
        (json!(0), Some(0)),
        (json!(1.5), Some(1_500_000_000)),
        (json!("60"), Some(60_000_000_000)),
        (json!(u64::MAX), Some(most)),
        (json!(1e300), Some(most)),
        (json!("inf"), Some(most)),
        (json!("NaN"), None),
        (json!(-1), None),
        (json!("soon"), None),
        (json!(null), None),
        (json!([60]), None),
    ] {
        let body = json!({ "access_token": "t", "token_type": "Bearer", "expires_in": written });
        assert_eq!(
            read(200, &body.to_string()).unwrap().lifetime,
            expected,
            "{written}"
        );
    }
}

#[test]
fn an_answer_that_is_no_token_is_refused_without_quoting_it() {
    let long = "x".repeat(MAX_TOKEN + 1);
    for body in [
        json!({ "access_token": "hidden", "token_type": "DPoP" }),
        json!({ "access_token": "hidden" }),
        json!({ "token_type": "Bearer" }),
        json!({ "access_token": ["hidden"], "token_type": "Bearer" }),
        json!({ "access_token": "", "token_type": "Bearer" }),
        json!({ "access_token": "hidden\r\nx-more: yes", "token_type": "Bearer" }),
        json!({ "access_token": "hidden part", "token_type": "Bearer" }),
        json!({ "access_token": long, "token_type": "Bearer" }),
        json!("hidden"),
        json!(null),
    ] {
        let error = read(200, &body.to_string()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, AuthError::Invalid { .. }), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn a_refusal_has_its_code_and_no_text_of_the_server() {
    let code = |status, body: &str| match read(status, body).unwrap_err() {
        AuthError::Refused { status, code, url } => {
            assert_eq!(url, "https://a/token");
            Some((status, code))
        }
        AuthError::Status { .. } => None,
        other => panic!("{other}"),
    };
    let known =
        json!({ "error": "invalid_client", "error_description": "the secret hidden is wrong" });
    assert_eq!(code(401, &known.to_string()), Some((401, "invalid_client")));
    let own = json!({ "error": "hidden\u{1b}[2J" });
    assert_eq!(
        code(400, &own.to_string()),
        Some((400, "a code of its own"))
    );
    assert_eq!(code(503, "<html>busy</html>"), None);
    assert_eq!(code(204, ""), None);
    assert_eq!(
        code(201, r#"{"access_token":"t","token_type":"Bearer"}"#),
        None
    );
}
