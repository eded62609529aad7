//! `[[listen]]`: where peers come in.

use std::path::PathBuf;

use ractor_cluster::link::options::UnixListening;

use super::error::Place;
use super::reader::{Reader, Section, variable_of};
use super::setting::Setting;
use super::values::Bind;
use crate::address::{Address, Endpoint};
use crate::tls::Identity;

/// Where peers come in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenSettings {
    /// TCP and TLS. Without any in the configuration: any free port of loopback, by TCP.
    pub streams: Vec<Setting<StreamListen>>,
    /// The Unix socket.
    pub unix: Setting<UnixListening>,
}

/// A listener for TCP or TLS.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum StreamListen {
    /// TCP.
    Tcp(Endpoint),
    /// TLS over TCP.
    Tls {
        /// Where.
        endpoint: Endpoint,
        /// As whom.
        identity: Identity,
    },
}

impl StreamListen {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::Tcp(endpoint) => Address::Tcp(endpoint.clone()),
            Self::Tls { endpoint, .. } => Address::Tls(endpoint.clone()),
        }
    }
}

/// What is found, until it is complete.
#[derive(Default)]
struct Found {
    streams: Vec<Setting<StreamListen>>,
    unix: Option<Setting<UnixListening>>,
}

/// Reads all `[[listen]]`, and the variable that takes their place.
pub(super) fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> ListenSettings {
    let mut found = Found::default();
    for mut entry in root.listed_sections(reader, "listen") {
        self::entry(reader, &mut entry, &mut found);
        entry.finish(reader);
    }
    if let Some(layered) = layered(reader) {
        found.streams = layered.streams;
        found.unix = layered.unix.or(found.unix);
    } else if found.streams.is_empty() {
        found.streams.push(Setting::default(StreamListen::Tcp(Endpoint::loopback(0))));
    }
    ListenSettings {
        streams: found.streams,
        unix: found.unix.unwrap_or_else(|| Setting::default(UnixListening::default())),
    }
}

fn entry(reader: &mut Reader<'_>, entry: &mut Section<'_, '_>, found: &mut Found) {
    let tcp: Option<Setting<Bind>> = entry.written(reader, "tcp");
    let tls: Option<Setting<Bind>> = entry.written(reader, "tls");
    let unix: Option<Setting<UnixListening>> = entry.written(reader, "unix");
    let certificate: Option<Setting<PathBuf>> = entry.written(reader, "certificate");
    let key: Option<Setting<PathBuf>> = entry.written(reader, "key");
    let kinds = ["tcp", "tls", "unix"].into_iter().filter(|kind| entry.has(kind)).count();
    if kinds != 1 {
        let found = if kinds == 0 { "none of them" } else { "more than one" };
        let expected = "one of tcp, tls and unix; further ones in a [[listen]] of their own";
        reader.mistake(reader.place(entry.at()), entry.key("tcp"), expected, found, None);
        return;
    }
    if !entry.has("tls") {
        for (name, it) in [("certificate", &certificate), ("key", &key)] {
            if let Some(place) = it.as_ref().and_then(Setting::place) {
                let expected = "tls beside it";
                reader.mistake(place.clone(), entry.key(name), expected, "another transport", None);
            }
        }
    }
    if let Some(bind) = tcp {
        add(reader, entry, "tcp", found, bind.map(|bind| StreamListen::Tcp(bind.0)));
    } else if entry.has("tls") {
        let identity = identity(reader, entry, certificate, key);
        let (Some(bind), Some(identity)) = (tls, identity) else { return };
        let tls = bind.map(|bind| StreamListen::Tls { endpoint: bind.0, identity });
        add(reader, entry, "tls", found, tls);
    } else if let Some(unix) = unix {
        match (&found.unix, unix.place()) {
            (Some(_), Some(place)) => {
                let expected = "one Unix socket for a node";
                reader.mistake(place.clone(), entry.key("unix"), expected, "a second one", None);
            }
            _ => found.unix = Some(unix),
        }
    }
}

fn identity(
    reader: &mut Reader<'_>,
    entry: &Section<'_, '_>,
    certificate: Option<Setting<PathBuf>>,
    key: Option<Setting<PathBuf>>,
) -> Option<Identity> {
    for name in ["certificate", "key"] {
        if !entry.has(name) {
            let expected = "the PEM file that tls needs";
            reader.mistake(reader.place(entry.at()), entry.key(name), expected, "nothing", None);
        }
    }
    let (certificate, key) = (certificate?, key?);
    let place = certificate.place()?.clone();
    match Identity::load(&reader.resolve(&certificate), &reader.resolve(&key)) {
        Ok(identity) => Some(identity),
        Err(error) => {
            let expected = "a certificate and its key, as PEM files";
            reader.mistake(place, entry.key("certificate"), expected, error.to_string(), None);
            None
        }
    }
}

fn add(
    reader: &mut Reader<'_>,
    entry: &Section<'_, '_>,
    key: &str,
    found: &mut Found,
    listen: Setting<StreamListen>,
) {
    let address = listen.address();
    let taken = |other: &Setting<StreamListen>| {
        address.endpoint().is_some_and(|it| it.port() != 0)
            && other.address().endpoint() == address.endpoint()
    };
    match listen.place() {
        Some(place) if found.streams.iter().any(taken) => {
            let expected = "an address that no other [[listen]] has";
            reader.mistake(
                place.clone(),
                entry.key(key),
                expected,
                format!("{address} again"),
                None,
            );
        }
        _ => found.streams.push(listen),
    }
}

/// `MYCELIUM_LISTEN`: addresses, with commas between them, in the place of those in the file.
fn layered(reader: &mut Reader<'_>) -> Option<Found> {
    let variable = variable_of("listen");
    let text = reader.variable::<Text>("listen")?;
    let place = Place::Environment { variable };
    let mut found = Found::default();
    for item in text.0.split(',').map(str::trim) {
        let Some(address) = reader.read::<Address>(item, "listen", place.clone()) else { continue };
        match address.into_inner() {
            Address::Tcp(endpoint) => {
                found.streams.push(Setting::written(StreamListen::Tcp(endpoint), place.clone()));
            }
            Address::Unix(path) if found.unix.is_none() => {
                found.unix = Some(Setting::written(UnixListening::At(path), place.clone()));
            }
            Address::Unix(_) => {
                let expected = "one Unix socket for a node";
                reader.mistake(place.clone(), "listen", expected, "a second one", None);
            }
            Address::Tls(_) => reader.mistake(
                place.clone(),
                "listen",
                "tcp:// and unix:// only",
                format!("{item:?}"),
                Some("a TLS listener needs files: write it as [[listen]]".to_owned()),
            ),
        }
    }
    Some(found)
}

/// Any text.
pub(super) struct Text(pub(super) String);

impl super::values::Value for Text {
    const EXPECTED: &'static str = "addresses with commas between them";

    fn read(text: &str) -> Result<Self, Option<String>> {
        Ok(Self(text.to_owned()))
    }
}
