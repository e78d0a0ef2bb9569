//! From the first 401 to the first token: which places are asked, in which order, and how often.

use futures_util::future::join_all;
use mcpload::mcp::auth::{AuthError, Authority, Credentials, FetchKind, TokenAuthentication};
use serde_json::json;

use crate::stub::{Answer, World, call, credentials, fetched, quick};

#[tokio::test]
async fn a_client_asks_for_nothing_before_it_is_challenged_and_then_for_a_token() {
    let world = World::start().await;
    let mut authority = world.authority();
    assert!(authority.token(0).await.unwrap().is_none());
    assert!(fetched(&mut authority).is_empty());

    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 2));
    assert_eq!(
        fetched(&mut authority),
        [
            (FetchKind::ProtectedResource, Some(200)),
            (FetchKind::AuthorizationServer, Some(200)),
            (FetchKind::Token, Some(200)),
        ]
    );
    let (form, header) = world.seen().forms[0].clone();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["resource"], world.endpoint());
    assert!(!form.contains_key("scope") && !form.contains_key("client_secret"));
    assert!(header.unwrap().starts_with("Basic "));

    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!(went.requests, 1, "the token is kept");
    assert!(fetched(&mut authority).is_empty());
}

#[tokio::test]
async fn an_eager_client_has_a_token_before_its_first_request() {
    let world = World::start().await;
    let mut authority = world.authority().eager();
    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 1));
}

#[tokio::test]
async fn a_known_token_endpoint_saves_discovery() {
    let world = World::start().await;
    let known = Credentials {
        token_url: Some(format!("{}/token", world.issuer)),
        authentication: Some(TokenAuthentication::SecretPost),
        scope: Some("a b".to_owned()),
        ..credentials()
    };
    let mut authority = Authority::sharing(&quick(), known, &world.endpoint()).unwrap();
    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 1));
    assert_eq!(world.seen().asked, ["POST /token"]);
    let (form, header) = world.seen().forms[0].clone();
    assert_eq!(form["client_secret"], "hidden-secret");
    assert_eq!(form["resource"], world.endpoint());
    assert_eq!(form["scope"], "a b");
    assert_eq!(header, None);
}

#[tokio::test]
async fn the_place_that_a_challenge_names_is_the_only_one_asked() {
    let world = World::start().await;
    world.seen().hint = Some(format!("{}/custom/place.json", world.resource));
    world.answer(
        "/custom/place.json",
        Answer::Document(world.resource_document()),
    );
    let mut authority = world.authority();
    call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!(world.count("GET /custom/place.json"), 1);
    assert_eq!(
        world.count("GET /.well-known/oauth-protected-resource/mcp"),
        0
    );

    // And if it has nothing, the others don't count.
    world.answer("/custom/place.json", Answer::Status(404));
    let error = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert!(matches!(error, Err(AuthError::Invalid { .. })), "{error:?}");
}

#[tokio::test]
async fn all_places_are_tried_in_order_and_pages_for_every_path_are_passed_over() {
    let world = World::start().await;
    let issuer = format!("{}/tenant", world.issuer);
    world.answer(
        "/.well-known/oauth-protected-resource/mcp",
        Answer::Text("<html>not found</html>"),
    );
    world.answer(
        "/.well-known/oauth-protected-resource",
        Answer::Document(json!({
            "resource": world.resource, "authorization_servers": [issuer],
            "scopes_supported": ["r", "w"],
        })),
    );
    world.answer(
        "/.well-known/openid-configuration/tenant",
        Answer::Redirect(format!("{}/login", world.issuer)),
    );
    world.answer(
        "/tenant/.well-known/openid-configuration",
        Answer::Document(
            json!({ "issuer": issuer, "token_endpoint": format!("{}/token", world.issuer) }),
        ),
    );
    let went = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert_eq!(went.unwrap().status, 200);
    assert_eq!(
        world.seen().asked,
        [
            "GET /.well-known/oauth-protected-resource/mcp",
            "GET /.well-known/oauth-protected-resource",
            "GET /.well-known/oauth-authorization-server/tenant",
            "GET /.well-known/openid-configuration/tenant",
            "GET /tenant/.well-known/openid-configuration",
            "POST /token",
        ]
    );
    let form = world.seen().forms[0].0.clone();
    assert_eq!(form["resource"], world.resource);
    assert_eq!(form["scope"], "r w");
}

#[tokio::test]
async fn a_server_without_resource_metadata_is_its_own_issuer() {
    let world = World::start().await;
    world.seen().answers.clear();
    world.answer(
        "/.well-known/oauth-authorization-server",
        Answer::Document(json!({ "issuer": world.resource, "token_endpoint": format!("{}/token", world.resource) })),
    );
    let went = call(&mut world.authority(), &world.endpoint(), 0).await;
    assert_eq!(went.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_nowhere_is_said_to_be_nowhere() {
    let world = World::start().await;
    world.seen().answers.clear();
    let error = call(&mut world.authority(), &world.endpoint(), 0).await;
    let Err(AuthError::NotFound { kind, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(kind, FetchKind::AuthorizationServer);
}

#[tokio::test]
async fn many_clients_discover_once_and_have_a_token_each() {
    let world = World::start().await;
    let directory = quick();
    let shared = std::rc::Rc::new(credentials());
    let mut clients: Vec<Authority> = (0..50)
        .map(|_| {
            Authority::sharing(&directory, std::rc::Rc::clone(&shared), &world.endpoint()).unwrap()
        })
        .collect();
    let url = world.endpoint();
    let calls = clients.iter_mut().map(|client| call(client, &url, 0));
    for went in join_all(calls).await {
        assert_eq!(went.unwrap().status, 200);
    }
    assert_eq!(
        world.count("GET /.well-known/oauth-protected-resource/mcp"),
        1
    );
    assert_eq!(
        world.count("GET /.well-known/oauth-authorization-server"),
        1
    );
    assert_eq!(world.count("POST /token"), 50);
    let recorded: usize = clients.iter_mut().map(|one| fetched(one).len()).sum();
    assert_eq!(
        recorded, 52,
        "every fetch is told by the client that made it"
    );
}

#[tokio::test]
async fn clients_that_wait_for_a_discovery_share_its_failure() {
    let world = World::start().await;
    world.answer(
        "/.well-known/oauth-protected-resource/mcp",
        Answer::Status(503),
    );
    let directory = quick();
    let mut clients: Vec<Authority> = (0..20)
        .map(|_| Authority::sharing(&directory, credentials(), &world.endpoint()).unwrap())
        .collect();
    let challenges = clients
        .iter_mut()
        .map(|client| client.challenged(401, None, 0));
    for answer in join_all(challenges).await {
        assert!(
            matches!(answer, Err(AuthError::Status { status: 503, .. })),
            "{answer:?}"
        );
    }
    assert_eq!(
        world.count("GET /.well-known/oauth-protected-resource/mcp"),
        1
    );
    // The next one asks anew.
    world.answer(
        "/.well-known/oauth-protected-resource/mcp",
        Answer::Document(world.resource_document()),
    );
    assert!(clients[0].challenged(401, None, 0).await.unwrap());
}

#[tokio::test]
async fn metadata_that_lead_nowhere_are_asked_for_again() {
    let world = World::start().await;
    let mut moved = world.server_document();
    moved["token_endpoint"] = json!(format!("{}/gone", world.issuer));
    world.answer(
        "/.well-known/oauth-authorization-server",
        Answer::Document(moved),
    );
    let mut authority = world.authority();
    let first = call(&mut authority, &world.endpoint(), 0).await;
    assert!(
        matches!(first, Err(AuthError::Status { status: 404, .. })),
        "{first:?}"
    );
    world.answer(
        "/.well-known/oauth-authorization-server",
        Answer::Document(world.server_document()),
    );
    let went = call(&mut authority, &world.endpoint(), 0).await.unwrap();
    assert_eq!((went.status, went.requests), (200, 1));
}
