//! What a connection knows of itself, beside the frames that it carries.

use std::fmt;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ConnectionCommon, ProtocolVersion, SideData};

/// As RFC 9266 has it, for TLS 1.3.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// Facts about a connection that an attacker in between cannot forge.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Channel {
    /// Bytes that both ends of this very connection know, and nobody else: with somebody in between
    /// there are two connections, and two bindings. `None` where the transport has none: TLS 1.3
    /// has one, and what is not encrypted cannot.
    pub binding: Option<[u8; 32]>,
    /// The certificate that the peer has shown and the transport has verified.
    pub certificate: Option<CertificateDer<'static>>,
    /// Set where large payloads go by descriptor, and the peer reads them where they lie. Tells of
    /// a payload whether it lies there already, or is copied to such a place first.
    pub lends: Option<fn(payload: &[u8]) -> bool>,
}

impl Channel {
    /// Of a TLS connection whose handshake is done.
    #[doc(hidden)]
    #[must_use]
    pub fn of_tls<D: SideData>(connection: &ConnectionCommon<D>) -> Self {
        // Before 1.3 a binding is unique only with an extension that rustls does not tell of.
        let is_unique = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let export = || connection.export_keying_material([0; 32], EXPORTER, Some(&[])).ok();
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            binding: if is_unique { export() } else { None },
            certificate: certificates.first().map(|it| it.clone().into_owned()),
            lends: None,
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("bound", &self.binding.is_some())
            .field("certified", &self.certificate.is_some())
            .finish()
    }
}
