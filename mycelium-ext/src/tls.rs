//! Certificates and keys, from PEM files to what rustls works with.
//!
//! With TLS as it is on the web the one who connects knows whom it has reached, and not the other
//! way round. **Mutual** TLS is both: a listener's identity [demands](Identity::demanding) a
//! certificate, and who connects [presents](Authorities::presenting) one. A
//! [`Node`](crate::node::Node) then also holds each peer to its name, which has to be in its
//! certificate, or to the names that are listed for it.
//!
//! ```no_run
//! use mycelium_ext::node::{Authorities, Identity, Listen, Node};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::load("feed.pem".as_ref(), "feed.key".as_ref())?;
//! let cluster = Authorities::load("cluster.pem".as_ref())?;
//! let node = Node::builder("feed")
//!     .cookie("…")
//!     .listen(Listen::tls("0.0.0.0:4698", identity.clone()))
//!     .mutual_tls(identity, cluster)
//!     .start()
//!     .await?;
//! # node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`acceptor`](Identity::acceptor) and [`connector`](Authorities::connector) are for applications
//! that use the cluster without a `Node`, as with stock.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::file;

/// Who a node is: a certificate and its key, which belong together.
#[derive(Clone)]
pub struct Identity {
    certificate: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    server: Arc<ServerConfig>,
}

impl Identity {
    /// Reads the chain of certificates (the node's own first) and the private key. Both are PEM.
    ///
    /// # Errors
    /// [`TlsError`] names the file, and says what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|error| TlsError::new(key, pem_trouble("a private key (PEM)", &error)))?;
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let builder = builder.with_no_client_auth();
                builder.with_single_cert(chain.clone(), private.clone_key())
            })
            .map_err(|error| {
                TlsError::new(
                    certificate,
                    format!("it does not go with the key in {}: {error}", key.display()),
                )
            })?;
        Ok(Self {
            certificate: certificate.to_owned(),
            chain,
            key: Arc::new(private),
            server: Arc::new(server),
        })
    }

    /// As a listener's, also demands a certificate of who connects, which `clients` vouch for.
    ///
    /// # Errors
    /// [`TlsError`], when these cannot vouch for anybody.
    pub fn demanding(&self, clients: &Authorities) -> Result<Self, TlsError> {
        let wrong = |error: &dyn fmt::Display| TlsError::new(&clients.file, error.to_string());
        let provider = provider();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(clients.roots.clone(), provider.clone())
                .build()
                .map_err(|error| wrong(&error))?;
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                let builder = builder.with_client_cert_verifier(verifier);
                builder.with_single_cert(self.chain.clone(), self.key.clone_key())
            })
            .map_err(|error| wrong(&error))?;
        Ok(Self { server: Arc::new(server), ..self.clone() })
    }

    /// For a listener.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.clone())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// Who is believed to know a peer: the certificates of authorities.
#[derive(Clone)]
pub struct Authorities {
    file: PathBuf,
    roots: Arc<RootCertStore>,
    client: Arc<ClientConfig>,
}

impl Authorities {
    /// Reads the authorities' certificates, PEM, one or more.
    ///
    /// # Errors
    /// [`TlsError`] names the file, and says what is wrong with it.
    pub fn load(file: &Path) -> Result<Self, TlsError> {
        let wrong = |error: rustls::Error| TlsError::new(file, error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(wrong)?;
        }
        let roots = Arc::new(roots);
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        Ok(Self { file: file.to_owned(), roots, client: Arc::new(client) })
    }

    /// Also shows this node's own certificate to those it connects to.
    ///
    /// # Errors
    /// [`TlsError`], when rustls cannot use it.
    pub fn presenting(&self, identity: &Identity) -> Result<Self, TlsError> {
        let wrong = |error: rustls::Error| TlsError::new(&identity.certificate, error.to_string());
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(wrong)?;
        Ok(Self { client: Arc::new(client), ..self.clone() })
    }

    /// For a node that connects.
    #[must_use]
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.client.clone())
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorities").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Says which file TLS cannot use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    file: PathBuf,
    why: String,
}

impl TlsError {
    fn new(file: &Path, why: String) -> Self {
        Self { file: file.to_owned(), why }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

/// The cryptography that the application has chosen for its process, or that the cluster brings: to
/// leave it to rustls would panic in a build that has two.
fn provider() -> Arc<CryptoProvider> {
    let chosen = CryptoProvider::get_default().cloned();
    chosen.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

/// Reads a regular file of at most 1 MiB.
fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    file::open(file)
        .and_then(|opened| file::read(&opened))
        .map_err(|error| TlsError::new(file, error.to_string()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| TlsError::new(file, pem_trouble("a certificate (PEM)", &error));
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&read(file)?).collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() { Err(wrong(pem::Error::NoItemsFound)) } else { Ok(chain) }
}

/// Says what is wrong with a PEM file, and nothing of what is in it, which may be a key.
fn pem_trouble(expected: &str, error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => {
            format!("there is no {} in it", expected.trim_start_matches("a "))
        }
        _ => format!("it is not {expected}"),
    }
}
