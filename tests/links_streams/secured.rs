//! The same over TLS.

use std::io::Write as _;
use std::sync::Arc;

use futures_util::future::join;
use futures_util::{SinkExt as _, StreamExt as _};
use mcpload::mcp::http_sse::SseLink;
use mcpload::mcp::tls::client_config;
use mcpload::mcp::websocket::WebSocketLink;
use mcpload::model::Class;
use mcpload::plan::{HttpVersion, TlsPlan};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ServerConfig};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{answer, call, class, headers, listen, run};
use crate::websocket::agree;

/// A server's end, and clients that trust it.
fn configured() -> (TlsAcceptor, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    let plan = TlsPlan {
        ca: Some(file.path().to_str().unwrap().to_owned()),
        insecure: false,
    };
    let key = signing_key.serialize_der().try_into().unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let client = client_config(&plan, HttpVersion::Http1).unwrap();
    (TlsAcceptor::from(Arc::new(server)), client)
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> TlsStream<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    acceptor.accept(stream).await.unwrap()
}

async fn read_until(stream: &mut TlsStream<TcpStream>, end: &str) {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        let count = stream.read_buf(&mut seen).await.unwrap();
        assert!(count > 0, "the client left");
    }
}

async fn write(stream: &mut TlsStream<TcpStream>, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

#[test]
fn both_connections_of_http_sse_are_secured() {
    run(async {
        let (acceptor, trust) = configured();
        let (listener, endpoint) = listen("https", "/sse").await;
        let mut link = SseLink::new(endpoint, None).secured_by(Some(trust));
        let server = async {
            let mut stream = accept(&listener, &acceptor).await;
            read_until(&mut stream, "\r\n\r\n").await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            write(&mut stream, head).await;
            write(&mut stream, "event: endpoint\ndata: /m\n\n").await;
            let mut post = accept(&listener, &acceptor).await;
            read_until(&mut post, r#""ping"}"#).await;
            write(
                &mut post,
                "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
            write(&mut stream, &format!("data: {}\n\n", answer(1))).await;
            (stream, post)
        };
        let (first, _ends) = join(call(&mut link, 1), server).await;
        assert_eq!(class(&first), (Class::None, None), "{:?}", first.facts());
        assert!(first.facts().connect_ns.is_some() && first.facts().tls_ns.is_some());
    });
}

#[test]
fn a_websocket_is_secured() {
    run(async {
        let (acceptor, trust) = configured();
        let (listener, endpoint) = listen("wss", "/mcp?x=1").await;
        let mut link = WebSocketLink::new(endpoint, headers(), None).secured_by(Some(trust));
        let server = async {
            let stream = accept(&listener, &acceptor).await;
            let mut socket = accept_hdr_async(stream, agree).await.unwrap();
            socket.next().await.unwrap().unwrap();
            socket.send(Message::text(answer(1))).await.unwrap();
            socket
        };
        let (first, _socket) = join(call(&mut link, 1), server).await;
        assert_eq!(class(&first), (Class::None, None), "{:?}", first.facts());
        assert!(first.facts().tls_ns.is_some());
    });
}

#[test]
fn who_is_not_trusted_is_no_connection_and_says_why() {
    run(async {
        let (_, stranger) = configured();
        for trust in [None, Some(stranger)] {
            let (acceptor, _) = configured();
            let (listener, endpoint) = listen("https", "/sse").await;
            let mut link = SseLink::new(endpoint, None).secured_by(trust);
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                assert!(acceptor.accept(stream).await.is_err());
            };
            let (none, ()) = join(call(&mut link, 1), server).await;
            assert_eq!(class(&none), (Class::Connect, None));
            assert!(none.facts().failure.is_some());
        }
    });
}
