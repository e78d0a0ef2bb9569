//! Subscriptions of the modern era, and those that are forgotten.

use serde_json::{Value, json};

use crate::legacy::{Events, Session};
use crate::support::{Era, Server, modern, tool, try_tool};

const A: &str = "mem://counter/a";

async fn listen(server: &Server, filter: &Value) -> (Events, Value) {
    let params = json!({"notifications": filter});
    let (body, headers) = modern("subscriptions/listen", None, params);
    let mut events = Events::of(server.post(&body, &headers).await);
    let first = events.message().await.message();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    (events, first)
}

#[tokio::test]
async fn a_subscription_is_told_every_change_in_order_and_its_end() {
    let mut server = Server::start(&["--drain", "20s"]).await;
    let filter = json!({"resourceSubscriptions": [A, "mem://resource/001", "mem://no/such"]});
    let (mut events, acknowledged) = listen(&server, &filter).await;
    let accepted = &acknowledged["params"]["notifications"];
    assert_eq!(
        accepted["resourceSubscriptions"],
        json!([A, "mem://resource/001"])
    );
    let (mut other, _) = listen(
        &server,
        &json!({"resourceSubscriptions": ["mem://counter/b"]}),
    )
    .await;

    let client = server.client(Era::Modern).await;
    for number in 1..=50 {
        let touched = tool(&client, "touch", json!({"name": "a"})).await;
        let content = json!({"uri": A, "number": number});
        assert_eq!(touched, (number.to_string(), Some(content)));
    }
    for number in 1..=50 {
        let change = events.message().await;
        assert_eq!(change.number(), Some(number));
        let message = change.message();
        assert_eq!(message["method"], "notifications/resources/updated");
        assert_eq!(message["params"]["uri"], A);
        let meta = &message["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], 1);
    }
    client.cancel().await.unwrap();
    server.ask_to_stop();
    for events in [&mut events, &mut other] {
        let rest = events.rest().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        let end = rest[0].clone().message();
        assert_eq!((&end["id"], end["result"].is_object()), (&json!(1), true));
    }
    server.ended().await;
}

#[tokio::test]
async fn a_touch_needs_a_name_that_fits() {
    let server = Server::start(&[]).await;
    let client = server.client(Era::Modern).await;
    for name in ["", "a b", "a/b", &"x".repeat(65)] {
        let result = try_tool(&client, "touch", json!({"name": name})).await;
        assert!(result.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_resource_that_is_not_there_cannot_be_subscribed_to() {
    let server = Server::start(&[]).await;
    let session = Session::start(&server, "2025-11-25").await;
    let uri = json!({"uri": "mem://no/such"});
    let answer = session.answer(1, "resources/subscribe", &uri).await;
    assert_eq!(answer["error"]["code"], -32002);
    assert_eq!(answer["error"]["data"], uri);
}

#[tokio::test]
async fn a_forgotten_subscription_is_confirmed_and_never_served() {
    let server = Server::start(&["--forget-subscription", "100%"]).await;
    let (mut events, _) = listen(&server, &json!({"resourceSubscriptions": [A]})).await;
    let session = Session::start(&server, "2025-11-25").await;
    let mut standing = session.listen(None).await;
    let answer = session
        .answer(1, "resources/subscribe", &json!({"uri": A}))
        .await;
    assert_eq!(answer["result"], json!({}));
    let touch = json!({"name": "touch", "arguments": {"name": "a"}});
    session.answer(2, "tools/call", &touch).await;
    drop(session);
    drop(server);
    for events in [&mut events, &mut standing] {
        let rest = events.rest().await;
        let changed = |event: &crate::legacy::Event| event.number().is_some();
        assert!(!rest.iter().any(changed), "{rest:?}");
    }
}
