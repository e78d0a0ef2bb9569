//! The life of a token: renewal, refusal, scopes. Time is handed in; nothing waits for it.

use std::rc::Rc;

use futures_util::future::join_all;
use mcpload::mcp::auth::{AuthError, Authority, Credentials, FetchKind, Reason};
use serde_json::json;

use crate::stub::{Answer, World, call, credentials, quick};

const SECOND: i64 = 1_000_000_000;

fn reasons(authority: &mut Authority) -> Vec<Reason> {
    let fetches = authority.take_fetches();
    let tokens = fetches.iter().filter(|one| one.kind == FetchKind::Token);
    tokens.map(|one| one.reason).collect()
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_not_earlier() {
    let world = World::start().await;
    world.seen().lifetime = Some(100);
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    let first = authority.token(79 * SECOND).await.unwrap().unwrap();
    assert_eq!(first.expires, Some(100 * SECOND));
    assert_eq!(world.count("POST /token"), 1);
    let second = authority.token(80 * SECOND).await.unwrap().unwrap();
    assert_ne!(first.value, second.value);
    assert_eq!(second.expires, Some(180 * SECOND));
    assert_eq!(reasons(&mut authority), [Reason::First, Reason::Renewal]);
    assert_eq!(
        world.count("GET /.well-known/oauth-authorization-server"),
        1
    );
}

#[tokio::test]
async fn a_failing_renewal_costs_nothing_until_the_old_token_expires() {
    let world = World::start().await;
    world.seen().lifetime = Some(100);
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    world.answer("/token", Answer::Status(503));
    // One attempt in each fifth of the margin of 20 s.
    for second in 80..100 {
        let went = call(&mut authority, &world.endpoint(), second * SECOND)
            .await
            .unwrap();
        assert_eq!((went.status, went.requests), (200, 1));
    }
    assert_eq!(world.count("POST /token"), 1 + 5);
    let expired = authority.token(100 * SECOND).await;
    assert!(
        matches!(expired, Err(AuthError::Status { status: 503, .. })),
        "{expired:?}"
    );
    world.seen().answers.remove("/token");
    assert!(authority.token(101 * SECOND).await.unwrap().is_some());
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_and_the_request_repeated() {
    let world = World::start().await;
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    for _ in 0..3 {
        world.revoke();
        let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
        assert_eq!((went.status, went.requests), (200, 2));
    }
    let expected = [
        Reason::First,
        Reason::Refused,
        Reason::Refused,
        Reason::Refused,
    ];
    assert_eq!(reasons(&mut authority), expected);
}

#[tokio::test]
async fn a_resource_that_takes_no_token_gets_one_and_no_more() {
    let world = World::start().await;
    world.seen().never = Some(401);
    let mut authority = world.authority();
    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (401, 2));
    for _ in 0..10 {
        let went = call(&mut authority, &world.endpoint(), SECOND)
            .await
            .unwrap();
        assert_eq!((went.status, went.requests), (401, 1));
    }
    assert_eq!(world.count("POST /token"), 1);
    let later = call(&mut authority, &world.endpoint(), 10 * SECOND)
        .await
        .unwrap();
    assert_eq!((later.status, later.requests), (401, 2));
    assert_eq!(world.count("POST /token"), 2);
}

#[tokio::test]
async fn a_burst_of_refusals_of_one_token_leads_to_one_new_token() {
    let world = World::start().await;
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    let old = authority.token(0).await.unwrap().unwrap();
    world.revoke();
    // Ten requests were under way with it.
    for _ in 0..10 {
        assert!(
            authority
                .challenged_for(Some(&old), 401, Some("Bearer"), 0)
                .await
                .unwrap()
        );
        let new = authority.token(0).await.unwrap().unwrap();
        assert_ne!(new.value, old.value);
    }
    assert_eq!(world.count("POST /token"), 2);
}

#[tokio::test]
async fn when_all_tokens_are_revoked_each_client_asks_for_one() {
    let world = World::start().await;
    let directory = quick();
    let shared = Rc::new(credentials());
    let url = world.endpoint();
    let mut clients: Vec<Authority> = (0..30)
        .map(|_| Authority::sharing(&directory, Rc::clone(&shared), &url).unwrap())
        .collect();
    for _ in 0..2 {
        for went in join_all(clients.iter_mut().map(|one| call(one, &url, 0))).await {
            assert_eq!(went.unwrap().status, 200);
        }
        world.revoke();
    }
    assert_eq!(world.count("POST /token"), 60);
    assert_eq!(
        world.count("GET /.well-known/oauth-authorization-server"),
        1
    );
}

#[tokio::test]
async fn a_lacking_scope_is_added_once() {
    let world = World::start().await;
    let url = world.endpoint();
    let configured = Credentials {
        scope: Some("read".to_owned()),
        ..credentials()
    };
    let mut authority = Authority::sharing(&quick(), configured, &url).unwrap();
    assert_eq!(call(&mut authority, &url, 0).await.unwrap().status, 200);
    world.seen().needs = Some("write".to_owned());
    let went = call(&mut authority, &url, 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 2));
    assert_eq!(reasons(&mut authority), [Reason::First, Reason::StepUp]);
    let scopes: Vec<String> = world
        .seen()
        .forms
        .iter()
        .map(|(form, _)| form["scope"].clone())
        .collect();
    assert_eq!(scopes, ["read", "read write"]);
}

#[tokio::test]
async fn a_scope_that_does_not_help_is_asked_for_once() {
    let world = World::start().await;
    {
        let mut seen = world.seen();
        seen.never = Some(403);
        seen.needs = Some("admin".to_owned());
    }
    let mut authority = world.authority();
    for _ in 0..5 {
        assert_eq!(
            call(&mut authority, &world.endpoint(), 0)
                .await
                .unwrap()
                .status,
            403
        );
    }
    assert_eq!(reasons(&mut authority), [Reason::First, Reason::StepUp]);
}

#[tokio::test]
async fn a_scope_that_the_server_refuses_leaves_the_old_token_and_is_not_asked_for_again() {
    let world = World::start().await;
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    world.seen().needs = Some("admin".to_owned());
    world.answer("/token", Answer::Status(503));
    let first = call(&mut authority, &world.endpoint(), 0).await;
    assert!(first.is_err(), "trouble, which may pass");
    world.seen().answers.remove("/token");
    assert_eq!(
        call(&mut authority, &world.endpoint(), 0)
            .await
            .unwrap()
            .status,
        200
    );

    world.seen().needs = Some("root".to_owned());
    world.answer("/token", Answer::Status(418));
    assert!(call(&mut authority, &world.endpoint(), 0).await.is_err());
    world.seen().needs = None;
    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 1));
}

#[tokio::test]
async fn other_statuses_are_no_challenge() {
    let world = World::start().await;
    let mut authority = world.authority();
    let lacking = Some(r#"Bearer error="insufficient_scope""#);
    for (status, header) in [
        (400, lacking),
        (403, None),
        (403, Some("Bearer error=\"invalid_token\"")),
        (404, lacking),
        (200, lacking),
    ] {
        assert!(!authority.challenged(status, header, 0).await.unwrap());
    }
    assert!(authority.take_fetches().is_empty() && world.seen().asked.is_empty());
}

#[tokio::test]
async fn a_signed_assertion_takes_the_place_of_a_secret() {
    let world = World::start().await;
    let mut document = world.server_document();
    document["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
    document["token_endpoint_auth_signing_alg_values_supported"] = json!(["ES256"]);
    world.answer(
        "/.well-known/oauth-authorization-server",
        Answer::Document(document),
    );
    let signing = Credentials {
        secret: None,
        private_key_pem: Some(KEY.to_owned()),
        ..credentials()
    };
    let mut authority = Authority::sharing(&quick(), signing, &world.endpoint()).unwrap();
    assert_eq!(
        call(&mut authority, &world.endpoint(), 0)
            .await
            .unwrap()
            .status,
        200
    );
    let form = world.seen().forms[0].0.clone();
    assert!(!form.contains_key("client_id") && !form.contains_key("client_secret"));
    let assertion = &form["client_assertion"];
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&[&world.issuer]);
    let key = jsonwebtoken::DecodingKey::from_ec_pem(PUBLIC.as_bytes()).unwrap();
    let claims = jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &validation)
        .unwrap()
        .claims;
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("me"), &json!("me"))
    );

    // A server that offers only secrets gets nothing signed.
    let mut document = world.server_document();
    document["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
    world.answer(
        "/.well-known/oauth-authorization-server",
        Answer::Document(document),
    );
    let signing = Credentials {
        secret: None,
        private_key_pem: Some(KEY.to_owned()),
        ..credentials()
    };
    let mut authority = Authority::sharing(&quick(), signing, &world.endpoint()).unwrap();
    let error = call(&mut authority, &world.endpoint(), 0).await;
    assert!(
        matches!(error, Err(AuthError::NoMethod { .. })),
        "{error:?}"
    );
}

/// A key that was made for this test and opens nothing.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLtMobU6qCwXMZWzh
ZXC8zTDXhHpq5eq8+3sWAt4vQxmhRANCAARdtV9kNMSLRH2Ik9yYvuxbkQb6kS2D
OTMexWymAavHDBWgsI3tg3XzKnkeFp0M4wq54lsNlMzm6S0csMvXzXsF
-----END PRIVATE KEY-----";
/// Its public part.
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXbVfZDTEi0R9iJPcmL7sW5EG+pEt
gzkzHsVspgGrxwwVoLCN7YN18yp5HhadDOMKueJbDZTM5uktHLDL1817BQ==
-----END PUBLIC KEY-----";
