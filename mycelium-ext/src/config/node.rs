//! `[node]`: who this node is.

use ractor::actor::actor_config::TransportPreference;

use super::cookie;
use super::limits::{self, Limits};
use super::reader::{Reader, Section};
use super::secret::Secret;
use super::setting::Setting;
use super::shm::ShmSettings;
use super::tuning::Tuning;
use super::validate;
use super::values::{ConnectionMode, Host, NodeName};

/// Who this node is, and what it puts up with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeSettings {
    /// Its name, before the `@`.
    pub name: Setting<NodeName>,
    /// The number that it announces to its peers.
    pub id: Option<Setting<u64>>,
    /// The host after the `@`: by default what the machine calls itself.
    pub host: Setting<String>,
    /// What all nodes of the cluster know.
    pub cookie: Setting<Secret>,
    /// How messages shall come to this node's actors that do not say so themselves.
    pub transport: Setting<TransportPreference>,
    /// Whom it connects to.
    pub mode: Setting<ConnectionMode>,
    /// Links by shared memory.
    pub shm: ShmSettings,
    /// What it puts up with.
    pub limits: Limits,
    /// What can be turned off.
    pub tuning: Tuning,
}

/// Who this node is, as far as it is known.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) name: Option<&'a NodeName>,
    pub(super) id: Option<&'a Setting<u64>>,
}

/// What was read of `[node]`.
pub(super) struct Draft {
    name: Option<Setting<NodeName>>,
    id: Option<Setting<u64>>,
    host: Option<Setting<Host>>,
    cookie: Option<Setting<Secret>>,
    transport: Option<Setting<TransportPreference>>,
    mode: Option<Setting<ConnectionMode>>,
    shm: ShmSettings,
    limits: Limits,
    tuning: Tuning,
}

impl Draft {
    pub(super) const fn mode(&self) -> Option<&Setting<ConnectionMode>> {
        self.mode.as_ref()
    }

    pub(super) const fn cookie(&self) -> Option<&Setting<Secret>> {
        self.cookie.as_ref()
    }

    pub(super) fn identity(&self) -> Identity<'_> {
        Identity { name: self.name.as_deref(), id: self.id.as_ref() }
    }

    /// With the defaults; `None` when something is missing that is needed.
    pub(super) fn settle(self) -> Option<NodeSettings> {
        let host = self.host.map(|host| host.map(|host| host.0));
        Some(NodeSettings {
            name: self.name?,
            id: self.id,
            host: host.unwrap_or_else(|| Setting::default(machine())),
            cookie: self.cookie?,
            transport: self.transport.unwrap_or_else(|| Setting::default(Default::default())),
            mode: self.mode.unwrap_or_else(|| Setting::default(Default::default())),
            shm: self.shm,
            limits: self.limits,
            tuning: self.tuning,
        })
    }
}

/// Reads `[node]` but for what is about other nodes.
pub(super) fn read(reader: &mut Reader<'_>, node: &mut Section<'_, '_>) -> Draft {
    if !node.has_layered(reader, "name") {
        reader.mistake(
            reader.place(node.at()),
            node.key("name"),
            "the name of this node",
            "nothing",
            Some("write name = \"…\" under [node], or set MYCELIUM_NODE_NAME".to_owned()),
        );
    }
    let mut section = node.section(reader, "limits");
    let limits = Limits::read(reader, &mut section);
    limits::validate(reader, &section, &limits);
    section.finish(reader);
    let mut section = node.section(reader, "tuning");
    let tuning = Tuning::read(reader, &mut section);
    section.finish(reader);
    let mut section = node.section(reader, "shm");
    let shm = super::shm::read(reader, &mut section);
    section.finish(reader);
    let transport = node.setting(reader, "transport");
    validate::shared_memory(reader, &node.key("transport"), &transport, &shm);
    validate::polling(reader, &node.key("shm"), &tuning, &shm);
    Draft {
        name: node.setting(reader, "name"),
        id: node.setting(reader, "id"),
        host: node.setting(reader, "host"),
        cookie: cookie::find(reader, node, &cookie::COOKIE),
        transport,
        mode: node.setting(reader, "mode"),
        shm,
        limits,
        tuning,
    }
}

/// What this machine calls itself; `localhost`, if that is nothing that others can use.
pub(crate) fn machine() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    match crate::address::host_name(&name) {
        Ok(()) => name,
        Err(_) => "localhost".to_owned(),
    }
}
