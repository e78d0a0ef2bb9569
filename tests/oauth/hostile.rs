//! Servers that lie, send the client elsewhere, say too much, or nothing: no secret leaves, nothing is followed, all waits end.

use std::time::Duration;

use mcpload::mcp::auth::{AuthError, Authority, Credentials};
use serde_json::json;

use crate::stub::{Answer, World, call, credentials, impatient, quick};

/// The place of the resource's metadata.
const RESOURCE: &str = "/.well-known/oauth-protected-resource/mcp";
/// The place of the server's metadata.
const SERVER: &str = "/.well-known/oauth-authorization-server";

/// The error of a client that met this world; no secret went anywhere, and none is in the message.
async fn refusal(world: &World) -> AuthError {
    let mut authority = world.authority();
    let error = call(&mut authority, &world.endpoint(), 0)
        .await
        .unwrap_err();
    assert_eq!(world.count("POST /token"), 0, "{error}");
    let shown = format!("{error} {error:?} {authority:?}");
    assert!(!shown.contains("hidden"), "{shown}");
    error
}

#[tokio::test]
async fn metadata_of_another_resource_are_refused() {
    let world = World::start().await;
    for other in [
        "https://evil.example/mcp".to_owned(),
        format!("{}/mcp2", world.resource),
        world.issuer.clone(),
    ] {
        let mut document = world.resource_document();
        document["resource"] = json!(other);
        world.answer(RESOURCE, Answer::Document(document));
        let error = refusal(&world).await;
        assert!(matches!(error, AuthError::OtherResource { .. }), "{error}");
    }
    assert_eq!(world.count(&format!("GET {SERVER}")), 0);
}

#[tokio::test]
async fn metadata_of_another_issuer_are_refused() {
    let world = World::start().await;
    for other in [
        "https://honest.example".to_owned(),
        format!("{}/", world.issuer),
    ] {
        let mut document = world.server_document();
        document["issuer"] = json!(other);
        world.answer(SERVER, Answer::Document(document));
        let error = refusal(&world).await;
        assert!(matches!(error, AuthError::OtherIssuer { .. }), "{error}");
    }
}

#[tokio::test]
async fn addresses_that_are_not_safe_are_not_asked() {
    let world = World::start().await;
    let mut document = world.server_document();
    document["token_endpoint"] = json!("http://192.0.2.1/token");
    world.answer(SERVER, Answer::Document(document));
    assert!(matches!(refusal(&world).await, AuthError::Unsafe { .. }));

    let mut document = world.resource_document();
    document["authorization_servers"] = json!(["http://192.0.2.1"]);
    world.answer(RESOURCE, Answer::Document(document));
    assert!(matches!(refusal(&world).await, AuthError::Unsafe { .. }));

    for hint in [
        "http://192.0.2.1/x",
        "file:///etc/passwd",
        "nonsense",
        "http://user:hidden@127.0.0.1/",
    ] {
        world.seen().hint = Some(hint.to_owned());
        assert!(
            matches!(refusal(&world).await, AuthError::Unsafe { .. }),
            "{hint}"
        );
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = World::start().await;
    let elsewhere = Answer::Redirect(format!("{}/elsewhere", world.issuer));
    world.answer("/elsewhere", Answer::Document(world.resource_document()));
    world.answer(RESOURCE, elsewhere.clone());
    assert!(matches!(
        refusal(&world).await,
        AuthError::Redirected { status: 302, .. }
    ));
    world.answer(RESOURCE, Answer::Document(world.resource_document()));
    world.answer(SERVER, elsewhere.clone());
    assert!(matches!(
        refusal(&world).await,
        AuthError::Redirected { .. }
    ));
    world.answer(SERVER, Answer::Document(world.server_document()));
    world.answer("/token", elsewhere);
    let error = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert!(
        matches!(error, Err(AuthError::Redirected { .. })),
        "{error:?}"
    );
    assert_eq!(
        world.count("GET /elsewhere") + world.count("POST /elsewhere"),
        0
    );
}

#[tokio::test]
async fn answers_without_end_are_cut() {
    let world = World::start().await;
    for place in [RESOURCE, SERVER] {
        world.answer(place, Answer::Flood);
        assert!(matches!(refusal(&world).await, AuthError::TooLong { .. }));
        world.answer(RESOURCE, Answer::Document(world.resource_document()));
    }
    world.answer(SERVER, Answer::Document(world.server_document()));
    world.answer("/token", Answer::Flood);
    let error = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert!(matches!(error, Err(AuthError::TooLong { .. })), "{error:?}");
}

#[tokio::test]
async fn servers_that_never_answer_are_given_up() {
    let world = World::start().await;
    for (place, answer) in [
        (RESOURCE, Answer::Hang),
        (SERVER, Answer::Stall),
        ("/token", Answer::Hang),
        ("/token", Answer::Stall),
    ] {
        world.answer(place, answer);
        let mut authority =
            Authority::sharing(&impatient(), credentials(), &world.endpoint()).unwrap();
        let error = call(&mut authority, &world.endpoint(), 0).await;
        assert!(
            matches!(error, Err(AuthError::Unreachable { .. })),
            "{place} {error:?}"
        );
        world.answer(RESOURCE, Answer::Document(world.resource_document()));
        world.answer(SERVER, Answer::Document(world.server_document()));
    }
}

#[tokio::test]
async fn a_fetch_that_nobody_waits_for_any_more_has_no_end() {
    let world = World::start().await;
    world.answer(RESOURCE, Answer::Hang);
    let mut authority = world.authority();
    let url = world.endpoint();
    let is_asked = async {
        while world.count(&format!("GET {RESOURCE}")) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        went = call(&mut authority, &url, 0) => panic!("{went:?}"),
        () = is_asked => {}
    }
    let fetches = authority.take_fetches();
    assert_eq!((fetches.len(), fetches[0].end), (1, None));
    // Nobody is kept waiting by it.
    world.answer(RESOURCE, Answer::Document(world.resource_document()));
    assert_eq!(call(&mut authority, &url, 0).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_refusal_names_its_code_and_repeats_nothing() {
    let world = World::start().await;
    world.answer(
        "/token",
        Answer::Document(json!({ "access_token": "hidden", "token_type": "mac" })),
    );
    let error = call(&mut world.authority(), &world.endpoint(), 0)
        .await
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hidden"));
    world.answer("/token", Answer::Status(401));
    let error = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert!(
        matches!(error, Err(AuthError::Status { status: 401, .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn credentials_are_shown_to_their_issuer_only() {
    let world = World::start().await;
    let bound = Credentials {
        issuer: Some("https://issuer.example".to_owned()),
        ..credentials()
    };
    let mut authority = Authority::sharing(&quick(), bound, &world.endpoint()).unwrap();
    let error = call(&mut authority, &world.endpoint(), 0).await;
    assert!(matches!(error, Err(AuthError::Unbound { .. })), "{error:?}");
    assert_eq!(world.count("POST /token"), 0);

    // Without a known issuer the first that was shown them is it.
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    let other = format!("{}/other", world.issuer);
    let mut document = world.resource_document();
    document["authorization_servers"] = json!([other]);
    world.answer(RESOURCE, Answer::Document(document));
    world.answer(
        &format!("{SERVER}/other"),
        Answer::Document(json!({ "issuer": other, "token_endpoint": format!("{other}/token") })),
    );
    world.revoke();
    world.answer("/token", Answer::Status(404));
    assert!(
        call(&mut authority, &world.endpoint(), 0).await.is_err(),
        "now the metadata are doubted"
    );
    let error = call(&mut authority, &world.endpoint(), 0).await;
    assert!(matches!(error, Err(AuthError::Unbound { .. })), "{error:?}");
    assert_eq!(world.count("POST /other/token"), 0);
}

#[test]
fn credentials_that_cannot_work_are_refused_before_any_request() {
    let endpoint = "http://127.0.0.1:1/mcp";
    let broken = [
        Credentials {
            client_id: String::new(),
            ..credentials()
        },
        Credentials {
            scope: Some("a\"b".to_owned()),
            ..credentials()
        },
        Credentials {
            token_url: Some("nonsense".to_owned()),
            ..credentials()
        },
        Credentials {
            token_url: Some("http://user:hidden@h/".to_owned()),
            ..credentials()
        },
        Credentials {
            issuer: Some("nonsense".to_owned()),
            ..credentials()
        },
        Credentials {
            private_key_pem: Some("hidden".to_owned()),
            ..credentials()
        },
        Credentials {
            algorithm: Some("HS256".to_owned()),
            ..credentials()
        },
        Credentials {
            secret: None,
            authentication: Some(mcpload::mcp::auth::TokenAuthentication::SecretPost),
            ..credentials()
        },
        Credentials {
            authentication: Some(mcpload::mcp::auth::TokenAuthentication::PrivateKeyJwt),
            ..credentials()
        },
    ];
    let directory = quick();
    for credentials in broken {
        let error = Authority::sharing(&directory, credentials, endpoint).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
    }
    for endpoint in ["", "h", "ftp://h/", "http://user:hidden@h/mcp"] {
        let error = Authority::sharing(&directory, credentials(), endpoint).unwrap_err();
        assert!(matches!(error, AuthError::NoUrl { .. }), "{error}");
    }
}
