//! TLS, by a certificate that the far process makes, and that the near one is told with the
//! address.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::Failure;

/// What the certificate is for.
pub const HOST: &str = "localhost";

/// The far side, and the certificate in words of one line.
pub fn acceptor() -> Result<(TlsAcceptor, String), Failure> {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let certificate = made.cert.der().clone();
    let words = certificate.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok((TlsAcceptor::from(Arc::new(config)), words))
}

/// The near side.
pub fn connector(words: &str) -> Result<TlsConnector, Failure> {
    let byte = |at: usize| u8::from_str_radix(words.get(at..at + 2).unwrap_or_default(), 16);
    let certificate = (0..words.len()).step_by(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate))?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
