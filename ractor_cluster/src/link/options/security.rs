//! What a node demands of its peers, and what it lets them make it do.

use std::collections::HashMap;

use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

use super::declare::options;

options! {
    /// What a node demands of its peers, and what it lets them make it do. The defaults are as
    /// stock has it, but for bounds: stock nodes are let in, and a mode that was chosen is
    /// followed.
    ///
    /// Two nodes of the fork always prove to each other that they know the cookie, by 256 bits each
    /// that are bound to both names and to the channel. A stock node cannot, and by default it is
    /// let in by its own handshake, whose challenge has 32 bits and is bound to nothing. **So a
    /// peer, or an attacker in between, can pass for a stock node, and get the weaker handshake.
    /// Only [`strict`](Self::strict) rules that out.** Neither encrypts anything: on a network that
    /// others listen to, use TLS.
    ///
    /// ```
    /// use ractor_cluster::link::options::{LinkOptions, Security};
    ///
    /// let options = LinkOptions::default().with_security(Security::strict());
    /// assert!(options.security.strict);
    /// ```
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    pub struct Security {
        /// Refuses stock nodes, and peers that pose as one; connections whose two ends see
        /// different kinds of channels, as with a proxy that ends TLS; and TLS older than 1.3, to
        /// which no proof can be bound.
        strict: bool = false;
        /// Refuses a stock node, or a peer that passes for one, under a name under which a node of
        /// the fork has proven itself since this process began. Otherwise it is let in, with a
        /// warning and [`PeerEvent::StockAdmitted`](crate::peers::PeerEvent::StockAdmitted). Off by
        /// default, since a node may go back to stock. The newest 4096 names are remembered.
        refuse_downgrade: bool = false, with_refused_downgrades;
        /// Whether a peer that has shown a certificate has to have its name in it. Whether it has
        /// to show one is up to the configuration of TLS. `None`: what TLS has verified is enough.
        certificate_names: Option<CertificateNames> = None;
        /// Whether the addresses that peers tell of their own peers are dialled, as
        /// [`NodeConnectionMode::Transitive`](crate::node::NodeConnectionMode::Transitive) has it;
        /// in the other mode they never are. They are dialled by TCP, and so never for a peer that
        /// is reached by TLS, nor by a node that listens by TLS alone.
        dial_supplied_addresses: bool = true, with_supplied_addresses;
        /// How many such addresses the whole node dials at a time.
        max_supplied_dials: usize = 8;
    }
}

impl Security {
    /// Lets in nodes of the fork alone, and dials no address that a peer told.
    #[must_use]
    pub fn strict() -> Self {
        Self { strict: true, dial_supplied_addresses: false, ..Self::default() }
    }

    /// Also holds peers to the names in their certificates.
    #[must_use]
    pub fn with_certificate_names(mut self, names: CertificateNames) -> Self {
        self.certificate_names = Some(names);
        self
    }
}

/// Which certificates a node of a name may show: those for this name (before the `@`), as a DNS
/// name or an IP address, and those for the names that are listed for it.
///
/// ```
/// use ractor_cluster::link::options::CertificateNames;
///
/// let host = "archive.example.org".try_into().expect("a name");
/// let names = CertificateNames::default().also("archive", host);
/// assert_eq!(names.listed("archive").len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct CertificateNames {
    listed: HashMap<String, Vec<ServerName<'static>>>,
}

impl CertificateNames {
    /// The node of this name (before the `@`) may also show a certificate for `certified`.
    #[must_use]
    pub fn also(mut self, node: impl Into<String>, certified: ServerName<'static>) -> Self {
        self.listed.entry(node.into()).or_default().push(certified);
        self
    }

    /// What is listed for the node of this name, beside the name itself.
    #[must_use]
    pub fn listed(&self, node: &str) -> &[ServerName<'static>] {
        self.listed.get(node).map_or(&[], Vec::as_slice)
    }

    /// Whether a node of this full name (`name@host`) may show this certificate.
    pub(crate) fn allow(&self, full_name: &str, certificate: &CertificateDer<'_>) -> bool {
        let node = full_name.split_once('@').map_or(full_name, |(name, _)| name);
        let Ok(certificate) = ParsedCertificate::try_from(certificate) else { return false };
        let its_own = ServerName::try_from(node).ok();
        let mut names = its_own.iter().chain(self.listed(node));
        names.any(|name| verify_server_name(&certificate, name).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        rcgen::generate_simple_self_signed(names).unwrap().cert.der().clone()
    }

    #[test]
    fn a_certificate_is_for_the_name_or_for_what_is_listed() {
        let names = CertificateNames::default()
            .also("archive", "archive.example.org".try_into().unwrap())
            .also("archive", "192.0.2.7".try_into().unwrap());
        let feed = certificate(&["feed"]);
        assert!(names.allow("feed@host", &feed));
        assert!(names.allow("feed", &feed));
        assert!(!names.allow("archive@host", &feed));
        assert!(!names.allow("fee@host", &feed));
        assert!(!names.allow("host@feed", &feed));
        assert!(!names.allow("@feed", &feed));
        for host in ["archive", "archive.example.org", "192.0.2.7"] {
            assert!(names.allow("archive@host", &certificate(&["other", host])), "{host}");
        }
        assert!(!names.allow("feed@host", &certificate(&["archive.example.org"])));
        // A name that no certificate can have, and bytes that are no certificate.
        assert!(!names.allow("a feed@host", &feed));
        assert!(!names.allow("feed@host", &CertificateDer::from(vec![1, 2, 3])));
    }
}
