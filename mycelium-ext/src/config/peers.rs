//! `[nodes.X]` and `[node.local_nodes]`: who else there is, and how far away.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link::options::Location;
use tokio_rustls::rustls::pki_types::ServerName;

use super::node::Identity;
use super::reader::{Reader, Section};
use super::security::{self, Mutual};
use super::setting::{Origin, Setting};
use super::validate;
use super::values::{NodeName, Value};
use crate::address::Address;
use crate::tls::Authorities;

/// A peer that the configuration names: `[nodes.X]`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerSettings {
    /// Its name, before the `@`: the X.
    pub name: NodeName,
    /// The number that it announces.
    pub id: Option<Setting<u64>>,
    /// How far away it is, by its name or by its number.
    pub location: Setting<Location>,
    /// How messages shall go to it; `None`: as it is with all others.
    pub transport: Option<Setting<TransportPreference>>,
    /// Where it is dialled; `None`: it is waited for.
    pub address: Option<Setting<Address>>,
    /// What TLS has to know of it, where its address is one of TLS.
    pub tls: Option<PeerTls>,
    /// The names that its certificate may have, beside its own and the one that is dialled.
    /// Checked with mutual TLS.
    pub certificate_names: Vec<Setting<ServerName<'static>>>,
    /// Whether it is this very node, which is not dialled: all nodes of a cluster may have the same
    /// list.
    pub is_this_node: bool,
}

/// What TLS has to know of a peer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerTls {
    /// The name in its certificate.
    pub server_name: ServerName<'static>,
    /// Who vouches for it.
    pub authorities: Authorities,
}

impl PeerTls {
    /// For a host whose certificate is for its own name; `None` when it cannot have such a
    /// certificate.
    pub(crate) fn of(host: &str, authorities: &Authorities) -> Option<Self> {
        let server_name = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self { server_name, authorities: authorities.clone() })
    }
}

/// How far away numbered nodes are.
pub(super) type Numbers = BTreeMap<u64, Setting<Location>>;

/// What a `[nodes.X]` says, before it is compared with the rest.
pub(super) struct Entry {
    pub(super) name: Setting<NodeName>,
    pub(super) id: Option<Setting<u64>>,
    pub(super) location: Option<Setting<Location>>,
    pub(super) transport: Option<Setting<TransportPreference>>,
    pub(super) address: Option<Setting<Address>>,
    certificate_names: Vec<Setting<Server>>,
    server_name: Option<Setting<Server>>,
    authorities: Option<Setting<PathBuf>>,
    /// Its key in the file.
    pub(super) path: String,
}

/// A name in a certificate.
struct Server(ServerName<'static>);

impl Value for Server {
    const EXPECTED: &'static str = "the name of a host, as it stands in the certificate";

    fn read(text: &str) -> Result<Self, Option<String>> {
        ServerName::try_from(text.to_owned()).map(Self).map_err(|_| None)
    }
}

/// All that is said about other nodes.
pub(super) struct Others {
    pub(super) peers: Vec<PeerSettings>,
    pub(super) numbers: Numbers,
    pub(super) authorities: Option<Authorities>,
    pub(super) mutual: Mutual,
}

/// Reads the lists of numbers, what is common to all peers, and all `[nodes.X]`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &mut Section<'_, '_>,
    node: &mut Section<'_, '_>,
    this: Identity<'_>,
) -> Others {
    let mut numbers = Numbers::new();
    for (key, location) in [("local_nodes", Location::Local), ("remote_nodes", Location::Remote)] {
        let mut section = node.section(reader, key);
        for id in section.list::<u64>(reader, "ids") {
            validate::number(reader, &section.key("ids"), &mut numbers, id, location);
        }
        section.finish(reader);
    }
    let mut tls = node.section(reader, "tls");
    let common: Option<Setting<PathBuf>> = tls.setting(reader, "authorities");
    let common = common.and_then(|file| authorities(reader, &tls.key("authorities"), &file));
    let mutual = security::mutual(reader, &mut tls);
    tls.finish(reader);

    let mut entries = Vec::new();
    for (name, mut section) in root.named_sections(reader, "nodes") {
        entries.extend(entry(reader, name, &mut section));
        section.finish(reader);
    }
    validate::between(reader, &entries, &mut numbers, this);
    let peer = |entry: Entry| {
        let tls = peer_tls(reader, &entry, common.as_ref());
        let by_number = entry.id.as_ref().and_then(|id| numbers.get(&**id)).cloned();
        let unsaid = || Setting::default(Location::default());
        PeerSettings {
            is_this_node: Some(&*entry.name) == this.name,
            tls,
            location: entry.location.or(by_number).unwrap_or_else(unsaid),
            name: entry.name.into_inner(),
            id: entry.id,
            transport: entry.transport,
            address: entry.address,
            certificate_names: entry
                .certificate_names
                .into_iter()
                .map(|name| name.map(|name| name.0))
                .collect(),
        }
    };
    let peers = entries.into_iter().map(peer).collect();
    Others { peers, numbers, authorities: common, mutual }
}

fn entry(
    reader: &mut Reader<'_>,
    name: Setting<String>,
    section: &mut Section<'_, '_>,
) -> Option<Entry> {
    let entry_name = match name.origin() {
        Origin::Written(place) => reader.read::<NodeName>(&name, "nodes", place.clone()),
        Origin::Default | Origin::Program => None,
    };
    let host = section.setting(reader, "server_name");
    let entry = Entry {
        id: section.setting(reader, "id"),
        location: section.setting(reader, "location"),
        transport: section.setting(reader, "transport"),
        address: section.setting(reader, "address"),
        certificate_names: section.list(reader, "certificate_names"),
        server_name: host,
        authorities: section.setting(reader, "authorities"),
        path: section.key("").trim_end_matches('.').to_owned(),
        name: entry_name?,
    };
    validate::within(reader, &entry);
    Some(entry)
}

fn peer_tls(
    reader: &mut Reader<'_>,
    entry: &Entry,
    common: Option<&Authorities>,
) -> Option<PeerTls> {
    let key = |key: &str| format!("{}.{key}", entry.path);
    let endpoint = match entry.address.as_deref() {
        Some(Address::Tls(endpoint)) => endpoint,
        _ => {
            for (name, place) in [
                ("server_name", entry.server_name.as_ref().and_then(Setting::place)),
                ("authorities", entry.authorities.as_ref().and_then(Setting::place)),
            ] {
                if let Some(place) = place {
                    let expected = "an address that starts with tls:// beside it";
                    reader.mistake(place.clone(), key(name), expected, "none", None);
                }
            }
            return None;
        }
    };
    let place = entry.address.as_ref()?.place()?.clone();
    let authorities = match &entry.authorities {
        Some(file) => authorities(reader, &key("authorities"), file),
        None if common.is_some() => common.cloned(),
        None => {
            reader.mistake(
                place.clone(),
                key("authorities"),
                "the PEM file of who vouches for the peer",
                "nothing",
                Some("write it here, or under [node.tls] for all".to_owned()),
            );
            None
        }
    };
    let server_name = match &entry.server_name {
        Some(name) => Some(name.0.clone()),
        None => reader
            .read::<Server>(endpoint.host(), &key("server_name"), place)
            .map(|name| name.into_inner().0),
    };
    Some(PeerTls { server_name: server_name?, authorities: authorities? })
}

/// Loads the certificates of authorities.
pub(super) fn authorities(
    reader: &mut Reader<'_>,
    key: &str,
    file: &Setting<PathBuf>,
) -> Option<Authorities> {
    let place = file.place()?.clone();
    match Authorities::load(&reader.path(file)) {
        Ok(authorities) => Some(authorities),
        Err(error) => {
            let expected = "a PEM file with the certificates of authorities";
            reader.mistake(place, key, expected, error.to_string(), None);
            None
        }
    }
}
