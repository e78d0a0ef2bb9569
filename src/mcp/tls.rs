//! TLS: whom a client trusts, the handshake over a stream that is already open, and the stream that comes of it.
//!
//! Impure: files, sockets and the clock. Invariant: every handshake is a full one; nothing is resumed, so that a connection costs
//! the server what it costs from a client that it has never met, and no client uses what another one was given. Next: `mcp::dial`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::endpoint::Endpoint;
use crate::clock;
use crate::plan::{HttpVersion, TlsPlan};

mod unchecked;

/// The most certificates of authorities that are read from a file.
const MAX_AUTHORITIES: usize = 10_000;

/// Why there is no TLS configuration.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file of the authorities cannot be read.
    #[error("cannot read the certificates in {path}")]
    Read {
        /// The file.
        path: String,
        /// What is wrong.
        source: pem::Error,
    },
    /// A certificate of that file is none.
    #[error("{path} holds a certificate that cannot be used")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The file holds no certificate.
    #[error("{0} holds no certificate")]
    Empty(String),
    /// The system trusts nobody.
    #[error(
        "this system has no certificates of authorities; name a file of them, or take any certificate"
    )]
    NoSystemRoots,
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up")]
    SetUp(#[from] rustls::Error),
}

/// The configuration that clients of this plan use; it offers this version of HTTP and no other. A WebSocket takes 1.1.
///
/// # Errors
/// If the certificates of the authorities cannot be read, or there are none.
pub fn client_config(plan: &TlsPlan, version: HttpVersion) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = if plan.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(unchecked::any_certificate(&provider))
            .with_no_client_auth()
    } else {
        let roots = match &plan.ca {
            Some(path) => authorities(path)?,
            None => system_authorities()?,
        };
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    config.alpn_protocols = vec![protocol(version).to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name of a version of HTTP in ALPN.
pub(crate) const fn protocol(version: HttpVersion) -> &'static [u8] {
    match version {
        HttpVersion::Http1 => b"http/1.1",
        HttpVersion::Http2 => b"h2",
    }
}

fn authorities(path: &str) -> Result<RootCertStore, TlsError> {
    let unread = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)
        .map_err(unread)?
        .take(MAX_AUTHORITIES)
    {
        roots
            .add(certificate.map_err(unread)?)
            .map_err(|source| TlsError::Certificate {
                path: path.to_owned(),
                source,
            })?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // A system may hold certificates that nobody can use; the others count.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(roots)
}

/// Why a stream could not be secured.
#[derive(Debug, Error)]
pub enum SecureError {
    /// The host of the endpoint can stand in no certificate.
    #[error("{0:?} is no name that a certificate can hold")]
    Name(String),
    /// Nobody said whom to trust.
    #[error("an endpoint with TLS needs a TLS configuration")]
    NoConfiguration,
    /// The handshake failed.
    #[error("the TLS handshake with {host} failed")]
    Handshake {
        /// The host.
        host: String,
        /// Why.
        source: io::Error,
    },
}

/// A stream, and how long it took to secure it.
#[derive(Debug)]
pub struct Secured<S> {
    /// The stream.
    pub stream: Stream<S>,
    /// How long the handshake took, nanoseconds; `None` where there was none.
    pub tls_ns: Option<u64>,
}

/// Secures an open stream if the endpoint asks for it.
///
/// # Errors
/// If there is no configuration, or the handshake fails.
///
/// # Cancel safety
/// The stream is lost with the future.
pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    endpoint: &Endpoint,
    stream: S,
    config: Option<&Arc<ClientConfig>>,
) -> Result<Secured<S>, SecureError> {
    if !endpoint.scheme().is_secure() {
        return Ok(Secured {
            stream: Stream::Plain(stream),
            tls_ns: None,
        });
    }
    let config = config.ok_or(SecureError::NoConfiguration)?;
    let name = ServerName::try_from(endpoint.host().to_owned())
        .map_err(|_| SecureError::Name(endpoint.host().to_owned()))?;
    let began = clock::now();
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|source| SecureError::Handshake {
            host: endpoint.host().to_owned(),
            source,
        })?;
    Ok(Secured {
        stream: Stream::Tls(Box::new(stream)),
        tls_ns: Some(clock::now().abs_diff(began)),
    })
}

/// A byte stream, in the clear or under TLS.
#[derive(Debug)]
pub enum Stream<S> {
    /// In the clear.
    Plain(S),
    /// Under TLS.
    Tls(Box<TlsStream<S>>),
}

impl<S> Stream<S> {
    /// The protocol that both sides agreed on by ALPN.
    pub fn agreed_protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
