//! `[security]` and `[node.tls]`: what is demanded of peers, and what they may make this node do.

use std::path::PathBuf;

use ractor_cluster::link::options::{CertificateNames, Security};

use super::listen::{ListenSettings, StreamListen};
use super::node::Draft;
use super::peers::{PeerSettings, authorities};
use super::reader::{Reader, Section};
use super::setting::Setting;
use super::values::ConnectionMode;
use crate::tls::{Authorities, Identity};

/// What is demanded of peers, and what they may make this node do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SecuritySettings {
    /// Whether nodes are let in that are not of the fork, or pass for such: see
    /// [`Security::strict`](ractor_cluster::link::options::Security::strict).
    pub strict: Setting<bool>,
    /// Whether a stock node is refused under a name that a node of the fork had before: see
    /// [`Security::refuse_downgrade`](ractor_cluster::link::options::Security::refuse_downgrade).
    pub refuse_downgrade: Setting<bool>,
    /// Whether addresses are dialled that peers told.
    pub dial_supplied_addresses: Setting<bool>,
    /// What this node shows to those it dials by TLS.
    pub identity: Option<Identity>,
    /// The trusted CAs of peers that connect by TLS, which then have to show a certificate.
    pub client_authorities: Option<Authorities>,
}

impl SecuritySettings {
    /// Whether peers show certificates, both ways or when they connect: their names count then.
    #[must_use]
    pub const fn checks_names(&self) -> bool {
        self.identity.is_some() || self.client_authorities.is_some()
    }

    /// As the cluster takes it.
    pub(crate) fn of_links(&self, peers: &[PeerSettings]) -> Security {
        let mut security =
            Security::default().with_supplied_addresses(*self.dial_supplied_addresses);
        security.strict = *self.strict;
        security.refuse_downgrade = *self.refuse_downgrade;
        if self.checks_names() {
            let mut names = CertificateNames::default();
            for peer in peers {
                // A peer with an address was verified by that name already.
                let dialled = peer.tls.iter().map(|tls| &tls.server_name);
                for name in peer.certificate_names.iter().map(|name| &**name).chain(dialled) {
                    names = names.also(peer.name.as_str(), name.clone());
                }
            }
            security = security.with_certificate_names(names);
        }
        security
    }
}

/// What `[node.tls]` says of this node, and of peers that connect.
pub(super) struct Mutual {
    identity: Option<Identity>,
    clients: Option<(Setting<PathBuf>, Option<Authorities>)>,
    key: String,
}

/// Reads this node's part of `[node.tls]`.
pub(super) fn mutual(reader: &mut Reader<'_>, tls: &mut Section<'_, '_>) -> Mutual {
    let certificate: Option<Setting<PathBuf>> = tls.setting(reader, "certificate");
    let private: Option<Setting<PathBuf>> = tls.setting(reader, "key");
    let identity = match (&certificate, &private) {
        (Some(certificate), Some(private)) => identity(reader, tls, certificate, private),
        (None, None) => None,
        (one, other) => {
            let present = one.as_ref().or(other.as_ref()).and_then(Setting::place).cloned();
            let missing = if certificate.is_none() { "certificate" } else { "key" };
            let is_wrong = tls.has_layered(reader, missing);
            if let Some(place) = present.filter(|_| !is_wrong) {
                let expected = "the PEM file that belongs to the other";
                reader.mistake(place, tls.key(missing), expected, "nothing", None);
            }
            None
        }
    };
    let file: Option<Setting<PathBuf>> = tls.setting(reader, "client_authorities");
    let key = tls.key("client_authorities");
    let clients = file.map(|file| {
        let read = authorities(reader, &key, &file);
        (file, read)
    });
    Mutual { identity, clients, key }
}

fn identity(
    reader: &mut Reader<'_>,
    tls: &Section<'_, '_>,
    certificate: &Setting<PathBuf>,
    key: &Setting<PathBuf>,
) -> Option<Identity> {
    let place = certificate.place()?.clone();
    match Identity::load(&reader.path(certificate), &reader.path(key)) {
        Ok(identity) => Some(identity),
        Err(error) => {
            let expected = "a certificate and its key, as PEM files";
            reader.mistake(place, tls.key("certificate"), expected, error.to_string(), None);
            None
        }
    }
}

/// Reads `[security]`, and compares it with the rest.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &mut Section<'_, '_>,
    mutual: Mutual,
    node: &Draft,
    listen: &ListenSettings,
    peers: &[PeerSettings],
) -> SecuritySettings {
    let mut section = root.section(reader, "security");
    let strict = section.setting(reader, "strict");
    let downgrade = section.setting(reader, "refuse_downgrade");
    let supplied = section.setting(reader, "dial_supplied_addresses");
    section.finish(reader);
    let settings = SecuritySettings {
        strict: strict.unwrap_or_else(|| Setting::default(false)),
        refuse_downgrade: downgrade.unwrap_or_else(|| Setting::default(false)),
        dial_supplied_addresses: supplied.unwrap_or_else(|| Setting::default(false)),
        identity: mutual.identity,
        client_authorities: mutual.clients.as_ref().and_then(|(_, clients)| clients.clone()),
    };
    if let Some(place) =
        node.mode().filter(|_| !*settings.dial_supplied_addresses).and_then(|mode| {
            let transitive = **mode == ConnectionMode::Transitive;
            mode.place().filter(|_| transitive)
        })
    {
        let expected = "\"isolated\", since addresses that peers tell are not dialled";
        let hint = "write dial_supplied_addresses = true under [security] to have them dialled";
        let found = "\"transitive\"";
        reader.mistake(place.clone(), "node.mode", expected, found, Some(hint.to_owned()));
    }
    let by_tls = |listen: &Setting<StreamListen>| matches!(**listen, StreamListen::Tls { .. });
    if let Some((file, _)) = &mutual.clients {
        if let Some(place) = file.place().filter(|_| !listen.streams.iter().any(by_tls)) {
            let expected = "a [[listen]] with tls, to which it would apply";
            reader.mistake(place.clone(), &*mutual.key, expected, "none", None);
        }
    }
    if !settings.checks_names() && mutual.clients.is_none() {
        for name in peers.iter().flat_map(|peer| peer.certificate_names.first()) {
            let Some(place) = name.place() else { continue };
            let expected = "certificate and key, or client_authorities, under [node.tls]";
            let hint = "without them the names in certificates are those of hosts, and are \
                        checked where a peer is dialled";
            let key = "certificate_names";
            reader.mistake(place.clone(), key, expected, "neither", Some(hint.to_owned()));
        }
    }
    settings
}
