//! Whom clients trust, and which HTTP they speak then.

use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

use mcpload::mcp::dial::dial_secured;
use mcpload::mcp::http::{HttpLink, HttpOptions};
use mcpload::mcp::tls::{TlsError, client_config};
use mcpload::model::Class;
use mcpload::plan::{HttpVersion, TlsPlan};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::server::Server;
use crate::support::{Came, ask, ask_well, at, exchange, local};

/// An authority and the file that its certificate is in.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, file }
    }

    pub(crate) fn plan(&self) -> TlsPlan {
        TlsPlan {
            ca: Some(self.file.path().to_str().unwrap().to_owned()),
            insecure: false,
        }
    }

    /// A server for these names that offers these protocols.
    pub(crate) fn server(&self, names: &[&str], protocols: &[&str]) -> Arc<ServerConfig> {
        self.configured(names, protocols, 2200)
    }

    fn configured(&self, names: &[&str], protocols: &[&str], until: i32) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = key.serialize_der().try_into().unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

fn with(plan: &TlsPlan, version: HttpVersion) -> HttpOptions {
    HttpOptions {
        version,
        tls: Some(client_config(plan, version).unwrap()),
        ..HttpOptions::default()
    }
}

pub(crate) fn trusting(authority: &Authority, version: HttpVersion) -> HttpOptions {
    with(&authority.plan(), version)
}

fn link(server: &Server, options: HttpOptions) -> HttpLink {
    let endpoint = at(&format!("https://localhost:{}/", server.address.port()));
    HttpLink::new(endpoint, Rc::new(options), None)
}

/// What a client with this plan gets from a server with this configuration.
async fn asked(plan: &TlsPlan, config: Arc<ServerConfig>) -> Came {
    let server = Server::start_with(HttpVersion::Http1, Some(config)).await;
    ask(&mut link(&server, with(plan, HttpVersion::Http1))).await
}

#[tokio::test]
async fn a_certificate_of_the_right_authority_and_name_is_taken() {
    local(async {
        let authority = Authority::new("one");
        for (version, name) in [(HttpVersion::Http1, "http/1.1"), (HttpVersion::Http2, "h2")] {
            let config = authority.server(&["localhost"], &[name]);
            let server = Server::start_with(version, Some(config)).await;
            let mut link = link(&server, trusting(&authority, version));
            let first = ask_well(&mut link).await;
            assert!(first.connect_ns.is_some() && first.tls_ns.is_some());
            let second = ask_well(&mut link).await;
            assert!(second.connect_ns.is_none() && second.tls_ns.is_none());
            assert_eq!(server.seen.accepted.get(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_trusted_is_refused_and_says_why() {
    local(async {
        let (authority, other) = (Authority::new("one"), Authority::new("other"));
        let good = authority.server(&["localhost"], &[]);
        let elsewhere = authority.server(&["elsewhere.test"], &[]);
        let expired = authority.configured(&["localhost"], &[], 2001);
        for (plan, config, why) in [
            (authority.plan(), &elsewhere, "elsewhere.test"),
            (other.plan(), &good, "UnknownIssuer"),
            (authority.plan(), &expired, "expired"),
        ] {
            let came = asked(&plan, Arc::clone(config)).await;
            assert_eq!(came.class, Class::Connect);
            assert!(came.failure().contains("TLS handshake with localhost"));
            assert!(came.failure().contains(why), "{}", came.failure());
            // The connection was there; only what came after it failed.
            assert!(came.facts.connect_ns.is_some() && came.facts.tls_ns.is_none());
            assert!(came.facts.sent.is_none());
            let insecure = TlsPlan {
                insecure: true,
                ..plan
            };
            let came = asked(&insecure, Arc::clone(config)).await;
            assert_eq!((came.class, came.failure()), (Class::None, ""));
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_without_http_2_is_refused() {
    local(async {
        let authority = Authority::new("one");
        // One says that it does not speak it, the other says nothing.
        for (protocols, why) in [
            (&["http/1.1"][..], "NoApplicationProtocol"),
            (&[][..], "does not offer HTTP/2"),
        ] {
            let config = authority.server(&["localhost"], protocols);
            let server = Server::start_with(HttpVersion::Http1, Some(config)).await;
            let came = ask(&mut link(&server, trusting(&authority, HttpVersion::Http2))).await;
            assert_eq!(came.class, Class::Connect);
            assert!(came.failure().contains(why), "{}", came.failure());
            assert_eq!(server.seen.requests.get(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn no_handshake_is_shortened_by_an_earlier_one() {
    local(async {
        let authority = Authority::new("one");
        let config = authority.server(&["localhost"], &[]);
        let (listener, address) = crate::raw::listen().await;
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let options = Rc::new(trusting(&authority, HttpVersion::Http1));
        for _ in 0..2 {
            let endpoint = at(&format!("https://localhost:{}/", address.port()));
            let mut link = HttpLink::new(endpoint, Rc::clone(&options), None);
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(stream).await.unwrap();
                crate::raw::read_request(&mut stream).await;
                stream.get_ref().1.handshake_kind()
            };
            let (_, kind) = tokio::join!(ask(&mut link), server);
            assert_eq!(kind, Some(rustls::HandshakeKind::Full));
        }
    })
    .await;
}

#[tokio::test]
async fn a_secure_endpoint_without_a_configuration_is_refused() {
    local(async {
        let authority = Authority::new("one");
        let config = authority.server(&["localhost"], &[]);
        let server = Server::start_with(HttpVersion::Http1, Some(config)).await;
        let came = ask(&mut link(&server, HttpOptions::default())).await;
        assert_eq!(came.class, Class::Connect);
        assert!(came.failure().contains("needs a TLS configuration"));
    })
    .await;
}

#[tokio::test]
async fn other_transports_get_a_secured_stream_too() {
    local(async {
        let authority = Authority::new("one");
        let config = authority.server(&["localhost"], &[]);
        let server = Server::start_with(HttpVersion::Http1, Some(config)).await;
        let endpoint = at(&format!("wss://localhost:{}/", server.address.port()));
        let config = client_config(&authority.plan(), HttpVersion::Http1).unwrap();
        let mut exchange = exchange();
        let mut stream = dial_secured(&endpoint, None, Some(&config), &mut exchange)
            .await
            .unwrap();
        let facts = exchange.facts();
        assert!(facts.connect_ns.is_some() && facts.tls_ns.is_some());
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
    })
    .await;
}

#[test]
fn a_file_without_authorities_is_refused() {
    let plan = |file: &NamedTempFile| TlsPlan {
        ca: Some(file.path().to_str().unwrap().to_owned()),
        insecure: false,
    };
    let configured = |file: &NamedTempFile| client_config(&plan(file), HttpVersion::Http1);
    let file = NamedTempFile::new().unwrap();
    assert!(matches!(configured(&file), Err(TlsError::Empty(_))));
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert!(matches!(
        configured(&file),
        Err(TlsError::Certificate { .. })
    ));
    let gone = plan(&file);
    drop(file);
    let refused = client_config(&gone, HttpVersion::Http1);
    assert!(matches!(refused, Err(TlsError::Read { .. })));
}
