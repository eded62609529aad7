//! Entries that cannot both be meant.

use std::collections::BTreeMap;

use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link::options::Location;

use super::error::Place;
use super::node::Identity;
use super::peers::{Entry, Numbers};
use super::reader::Reader;
use super::setting::Setting;
use super::shm::{ShmLinks, ShmSettings};
use super::tuning::Tuning;
use super::values::{location_word, preference_word};
use crate::address::Address;

/// Adds a number of a list to what is known, unless it stands in one already.
pub(super) fn number(
    reader: &mut Reader<'_>,
    key: &str,
    numbers: &mut Numbers,
    id: Setting<u64>,
    location: Location,
) {
    let Some(place) = id.place() else { return };
    match numbers.get(&*id) {
        Some(before) => {
            let said = location_word(**before);
            let found = format!("{}, which is {said} already{}", *id, line(before));
            reader.mistake(place.clone(), key, "a number that is listed once", found, None);
        }
        None => {
            numbers.insert(*id, Setting::written(location, place.clone()));
        }
    }
}

/// Compares what one `[nodes.X]` says with itself.
pub(super) fn within(reader: &mut Reader<'_>, entry: &Entry) {
    let key = |key: &str| format!("{}.{key}", entry.path);
    let remote = entry.location.as_deref() == Some(&Location::Remote);
    if let Some((transport, place)) = placed(&entry.transport) {
        let word = preference_word(*transport);
        let near = matches!(
            transport,
            TransportPreference::Arc
                | TransportPreference::SharedMemory
                | TransportPreference::UnixSocket
        );
        if remote && near {
            let expected = "a transport that reaches other machines, since location is \"remote\"";
            reader.mistake(place.clone(), key("transport"), expected, format!("{word:?}"), None);
        }
        let address = entry.address.as_deref();
        let contrary = match (transport, address) {
            (TransportPreference::Tcp, Some(Address::Tls(_) | Address::Unix(_)))
            | (TransportPreference::Tls, Some(Address::Tcp(_) | Address::Unix(_))) => address,
            _ => None,
        };
        if let Some(address) = contrary {
            let found = format!("{word:?}, and the address is {address}");
            let expected = "the transport of the address";
            reader.mistake(place.clone(), key("transport"), expected, found, None);
        }
    }
    if let Some((address @ Address::Unix(_), place)) = placed(&entry.address) {
        if remote {
            let expected = "an address on another machine, since location is \"remote\"";
            reader.mistake(place.clone(), key("address"), expected, address.to_string(), None);
        }
    }
}

/// Compares all `[nodes.X]` with each other, with the lists of numbers and with this node, and adds
/// their numbers to the known ones.
pub(super) fn between(
    reader: &mut Reader<'_>,
    entries: &[Entry],
    numbers: &mut Numbers,
    this: Identity<'_>,
) {
    let mut addresses: BTreeMap<&Address, &Entry> = BTreeMap::new();
    let mut ids: BTreeMap<u64, &Entry> = BTreeMap::new();
    for entry in entries {
        let key = |key: &str| format!("{}.{key}", entry.path);
        if let Some((address, place)) = placed(&entry.address) {
            if let Some(other) = addresses.insert(address, entry) {
                let found = format!("{address}, which is that of {} as well", *other.name);
                let expected = "an address of its own";
                reader.mistake(place.clone(), key("address"), expected, found, None);
            }
        }
        if let Some((id, place)) = placed(&entry.id) {
            if let Some(other) = ids.insert(*id, entry) {
                let found = format!("{id}, which is that of {} as well", *other.name);
                let expected = "a number of its own";
                reader.mistake(place.clone(), key("id"), expected, found, None);
            }
            own_id(reader, entry, *id, place, this);
            located(reader, entry, *id, numbers);
        }
        if Some(&*entry.name) == this.name {
            not_remote(reader, entry.location.as_ref(), &key("location"));
        }
    }
    if let Some(id) = this.id {
        not_remote(reader, numbers.get(&**id), "node.remote_nodes.ids");
    }
}

/// A node that wants its messages by shared memory has it.
pub(super) fn shared_memory(
    reader: &mut Reader<'_>,
    key: &str,
    transport: &Option<Setting<TransportPreference>>,
    shm: &ShmSettings,
) {
    let Some((TransportPreference::SharedMemory, place)) = placed(transport) else { return };
    if *shm.links == ShmLinks::Off {
        let found = format!("\"shm\", and node.shm.links is \"off\"{}", line(&shm.links));
        let expected = "a transport that the node has";
        reader.mistake(place.clone(), key, expected, found, None);
    }
}

/// A number is this node's if and only if the name is.
fn own_id(reader: &mut Reader<'_>, entry: &Entry, id: u64, place: &Place, this: Identity<'_>) {
    let (Some(this), Some(this_id)) = (this.name, this.id) else { return };
    if (*entry.name == *this) != (id == **this_id) {
        let found = format!("{id}, and {this}, which is this node, has {}", **this_id);
        let expected = if *entry.name == *this { "this node's own id" } else { "an id of its own" };
        reader.mistake(place.clone(), format!("{}.id", entry.path), expected, found, None);
    }
}

/// What a name and its number say about the location.
fn located(reader: &mut Reader<'_>, entry: &Entry, id: u64, numbers: &mut Numbers) {
    let Some((location, place)) = placed(&entry.location) else { return };
    match numbers.get(&id) {
        Some(listed) if **listed != *location => {
            let (word, said) = (location_word(*location), location_word(**listed));
            let found = format!("{word:?}, and its id {id} is {said}{}", line(listed));
            let expected = "what the list of numbers says";
            let key = format!("{}.location", entry.path);
            reader.mistake(place.clone(), key, expected, found, None);
        }
        _ => {
            numbers.insert(id, Setting::written(*location, place.clone()));
        }
    }
}

fn not_remote(reader: &mut Reader<'_>, location: Option<&Setting<Location>>, key: &str) {
    let Some(location) = location.filter(|location| ***location == Location::Remote) else {
        return;
    };
    if let Some(place) = location.place() {
        let expected = "another node than this one";
        reader.mistake(place.clone(), key, expected, "this node, as a remote one", None);
    }
}

fn placed<T>(setting: &Option<Setting<T>>) -> Option<(&T, &Place)> {
    let setting = setting.as_ref()?;
    Some((setting, setting.place()?))
}

/// Where something else stands, for the end of a sentence.
fn line<T>(setting: &Setting<T>) -> String {
    match setting.place() {
        Some(Place::File { line, .. }) => format!(" (line {line})"),
        Some(Place::Environment { variable }) => format!(" ({variable})"),
        None => String::new(),
    }
}

/// Compares the spinning of shared memory with the switch of busy polling, and the two kinds of it.
pub(super) fn polling(reader: &mut Reader<'_>, section: &str, tuning: &Tuning, shm: &ShmSettings) {
    let spin = shm.spin.place().map(|place| {
        let found = format!("\"{}\"", humantime::format_duration(*shm.spin));
        ("spin", place, found)
    });
    let thread = shm
        .spin_thread
        .as_ref()
        .and_then(|thread| Some(("spin_thread", thread.place()?, format!("\"{}\"", **thread))));
    if !*tuning.busy_poll {
        let off = line(&tuning.busy_poll);
        for (key, place, found) in [&spin, &thread].into_iter().flatten() {
            let expected = format!("no spinning, since node.tuning.busy_poll is false{off}");
            reader.mistake((*place).clone(), format!("{section}.{key}"), expected, found, None);
        }
    } else if let (Some((key, place, found)), Some(thread)) = (spin, &shm.spin_thread) {
        let expected =
            format!("no phase of spinning, since spin_thread never sleeps{}", line(thread));
        reader.mistake(place.clone(), format!("{section}.{key}"), expected, found, None);
    }
}
