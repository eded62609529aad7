//! Certificates and keys, from PEM files to what rustls works with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

/// Who a listener is: a certificate and its key, which belong together.
#[derive(Clone)]
pub struct Identity {
    certificate: PathBuf,
    server: Arc<ServerConfig>,
}

impl Identity {
    /// Reads the chain of certificates (the node's own first) and the private key. Both are PEM.
    ///
    /// # Errors
    /// [`TlsError`] names the file, and says what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(certificate)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| TlsError::new(key, pem_trouble("a private key (PEM)", &error)))?;
        let server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| {
                TlsError::new(
                    certificate,
                    format!("it does not go with the key in {}: {error}", key.display()),
                )
            })?;
        Ok(Self { certificate: certificate.to_owned(), server: Arc::new(server) })
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
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
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { file: file.to_owned(), client: Arc::new(client) })
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.client.clone()
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

/// The cryptography that the application has chosen for its process, or that the cluster brings: to leave it to
/// rustls would panic in a build that has two.
fn provider() -> Arc<CryptoProvider> {
    let chosen = CryptoProvider::get_default().cloned();
    chosen.unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| TlsError::new(file, pem_trouble("a certificate (PEM)", &error));
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(wrong)?;
    if chain.is_empty() { Err(wrong(pem::Error::NoItemsFound)) } else { Ok(chain) }
}

/// Says what is wrong with a PEM file, and nothing of what is in it, which may be a key.
fn pem_trouble(expected: &str, error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => {
            format!("there is no {} in it", expected.trim_start_matches("a "))
        }
        _ => format!("it is not {expected}"),
    }
}
