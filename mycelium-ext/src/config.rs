//! `mycelium.toml`: the configuration of a node.
//!
//! ```
//! use mycelium_ext::config::{Config, Environment, Location};
//!
//! let text = r#"
//! [node]
//! name = "feed"
//! cookie_env = "FEED_COOKIE"
//!
//! [node.local_nodes]
//! ids = [1, 2]
//!
//! [nodes.archive]
//! address = "tcp://archive.example.org:4697"
//! location = "remote"
//! "#;
//! let environment = Environment::of([("FEED_COOKIE", "open sesame")]);
//! let config = Config::parse(text, "mycelium.toml", &environment)?;
//! assert_eq!(config.location(None, Some(2)), Location::Local);
//! assert_eq!(config.location(Some("archive"), None), Location::Remote);
//! # Ok::<(), mycelium_ext::config::ConfigError>(())
//! ```
//!
//! # Keys
//!
//! | key | value | default |
//! |---|---|---|
//! | `node.name` | the name, before the `@` | needed |
//! | `node.id` | the number that is announced to peers | none |
//! | `node.host` | the host, after the `@` | the machine's name |
//! | `node.cookie_file`, `node.cookie_env`, `node.cookie` | one of: a file that only its owner may use, the name of a variable, the cookie itself | needed |
//! | `node.transport` | `adaptive`, `arc`, `shm`, `unix`, `tcp`, `tls` | `adaptive` |
//! | `node.mode` | `isolated`, `transitive` (also connects to the peers of its peers; needs `security.dial_supplied_addresses`) | `isolated` |
//! | `node.local_nodes.ids`, `node.remote_nodes.ids` | numbers of nodes on this and on other machines | none |
//! | `node.tls.authorities` | PEM file of the trusted CAs for peers | none |
//! | `node.tls.certificate`, `node.tls.key` | PEM files that this node shows to those it dials by TLS | none |
//! | `node.tls.client_authorities` | PEM file of the trusted CAs for peers that connect; every TLS listener then demands a certificate | none |
//! | `node.shm.links` | `auto`, `off`: links by shared memory, on Linux | `auto` |
//! | `node.shm.ring` | the memory of such a link, a direction each: the next power of two | `1 MiB` |
//! | `node.shm.arena` | the memory in which peers of this machine read large payloads where they lie, for all nodes of the process; `0 B` for none; none with `security.strict = true` | `256 MiB` |
//! | `node.shm.spin_thread` | `"any"` or `"core N"`: a thread for the node alone, on that core, that polls links by shared memory without a pause; burns a core | none |
//! | `node.shm.spin` | how long it looks for the next message before it sleeps: takes a core for as long | not at all |
//! | `node.tuning.*` | what can be turned off: a field of [`Tuning`] each | in the example |
//! | `node.limits.*` | what a node puts up with: a field of [`Limits`] each | in the example |
//! | `[[listen]]` `tcp` | `host:port`; `port` alone is one of loopback; port 0 is any free one | any of loopback |
//! | `[[listen]]` `tls`, `certificate`, `key` | the same for TLS, and its PEM files | none |
//! | `[[listen]]` `unix` | `auto`, `off` or a path | `auto` |
//! | `[nodes.X]` | a peer, X being its name | |
//! | `nodes.X.id` | its number | none |
//! | `nodes.X.location` | `local`, `remote`, `auto` | what the lists of numbers say, or `auto` |
//! | `nodes.X.address` | where it is dialled: `tcp://host:port`, `tls://host:port`, `unix:///path` | it is waited for |
//! | `nodes.X.transport` | as `node.transport`, for this peer | none |
//! | `nodes.X.server_name`, `nodes.X.authorities` | for `tls://`: the name in its certificate, who vouches for it | the host; `node.tls.authorities` |
//! | `nodes.X.certificate_names` | with mutual TLS: for whom its certificate may be, beside X and `server_name` | none |
//! | `security.strict` | `true`: admits nodes of the fork only, whose proof is stronger than stock's challenge | `false` |
//! | `security.refuse_downgrade` | `true`: no stock node under a name that a node of the fork had before | `false` |
//! | `security.dial_supplied_addresses` | `true`: addresses that peers tell are dialled, by TCP | `false` |
//! | `[cluster]` | finds the other nodes by gossip, with the feature `membership` of this crate | none: peers are dialled by `[nodes.X]` alone |
//! | `cluster.name` | the name of the cluster | `mycelium` |
//! | `cluster.seeds` | where others are looked for: `host:port` each; names may have several addresses | none: it waits for others |
//! | `cluster.gossip` | where it gossips, by UDP: `host:port`; `port` alone is one of loopback | host and port of the first `[[listen]]` |
//! | `cluster.advertise` | where others reach it: `host:port`; port 0 is the real one | where it gossips |
//! | `cluster.also_accept_file`, `cluster.also_accept_env`, `cluster.also_accept` | a further cookie whose gossip is understood, said as the cookie is | none |
//! | `cluster.interval` | between two rounds of gossip, `20ms` to `1m` | `500ms` |
//! | `cluster.forget_after` | how long a member that is down stays in the list | `10m` |
//! | `metrics.listen` | where `GET /metrics` is answered for Prometheus, with the feature `metrics`: `host:port`; `port` alone is one of loopback | none |
//! | `traces.propagate` | whether spans go on at peers that have it on too, with the feature `otel` | `false` |
//! | `view.socket` | `on`, `off`: snapshots for `mycelium top`, on a Unix socket for this user alone | `on` |
//! | `view.remote` | whether peers may have snapshots too, as `mycelium top HOST:PORT` does with the cookie; with the feature `view` | `false` |
//!
//! The example below has each key of `node.tuning` and `node.limits`, with its default.
//!
//! With `node.tls.certificate` or `node.tls.client_authorities` a peer's certificate has to be for
//! its name, for its `server_name`, or for one of its `certificate_names`.
//!
//! Sizes are written `"64 MiB"`, durations `"1m 30s"`. Files are looked for from the folder of the
//! configuration. Entries of a table that cannot both be meant, and keys that do not exist, are
//! mistakes.
//!
//! # Layers
//!
//! Each key that is not in a list has a variable, which goes before the file: `MYCELIUM_` and the
//! key in upper case, with `_` for what is neither letter nor digit. So `MYCELIUM_NODE_NAME`,
//! `MYCELIUM_NODE_LIMITS_MAX_FRAME`, and for `[nodes.archive]`, if the file has it,
//! `MYCELIUM_NODES_ARCHIVE_ADDRESS`. `MYCELIUM_LISTEN` takes the place of all `[[listen]]`:
//! addresses (`tcp://…`, `unix://…`) with commas between them, and `MYCELIUM_CLUSTER_SEEDS` that of
//! `cluster.seeds`. Paths of variables are looked for from the working directory. Variables that
//! start like these and stand for no key are mistakes.
//!
//! # Secrets
//!
//! The cookie is a [`Secret`]: it is in no output, no error, and no warning.
//!
//! # Files and warnings
//!
//! The configuration and the files that it names have to be regular files of at most 1 MiB.
//! [`Config::warnings`] tells of a cookie in a file that others may read, of a cookie of fewer than
//! 16 bytes, and of a listener without TLS, or of metrics, that other machines may reach. `mycelium check` prints
//! them, and a node logs them.
//!
//! # Example
//!
//! ```toml
#![doc = include_str!("../mycelium.example.toml")]
//! ```

mod cluster;
mod cookie;
mod declare;
mod environment;
mod error;
mod limits;
mod listen;
mod metrics;
mod node;
mod peers;
mod reader;
mod secret;
mod security;
mod setting;
pub(crate) mod shm;
mod show;
mod suggest;
mod traces;
mod tuning;
mod validate;
mod values;
mod view;
mod warning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use self::reader::{Reader, Section};
use crate::file;
use crate::tls::Authorities;
pub use cluster::{ClusterSettings, GossipSettings};
pub use environment::Environment;
pub use error::{ConfigError, Mistake, Place};
pub use limits::Limits;
pub use listen::{ListenSettings, StreamListen};
pub use metrics::MetricsSettings;
pub use node::NodeSettings;
pub(crate) use node::machine;
pub use peers::{PeerSettings, PeerTls};
pub use ractor_cluster::link::options::{Location, UnixListening};
pub use secret::Secret;
pub use security::SecuritySettings;
pub use setting::{Origin, Setting};
pub use shm::{ShmLinks, ShmSettings, SpinThread};
pub use traces::TracesSettings;
pub use tuning::Tuning;
pub use values::{ConnectionMode, InvalidName, NodeName};
pub use view::{ViewSettings, ViewSocket};
pub use warning::Warning;

/// The configuration of a node, complete and free of contradictions. It prints as the topology that
/// it describes, without secrets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Who this node is.
    pub node: NodeSettings,
    /// Where peers come in.
    pub listen: ListenSettings,
    /// The peers that have a name here, in the order of their names.
    pub peers: Vec<PeerSettings>,
    /// How far away the nodes are that announce these numbers.
    pub numbers: BTreeMap<u64, Setting<Location>>,
    /// The trusted CAs of peers that have none of their own.
    pub authorities: Option<Authorities>,
    /// What is demanded of peers, and what they may make this node do.
    pub security: SecuritySettings,
    /// How it finds the others of its cluster; `None`: it does not look for them.
    pub cluster: Option<ClusterSettings>,
    /// What it shows to those who watch it.
    pub view: ViewSettings,
    /// Its figures for Prometheus.
    pub metrics: MetricsSettings,
    /// Spans that go on at other nodes.
    pub traces: TracesSettings,
    /// Where the file has a cookie in it, whether or not a variable goes before it.
    inline_cookie: Option<Place>,
    /// The file's permission bits, where they are known.
    mode: Option<u32>,
}

impl Config {
    /// Reads `file`, and the variables of this process. It and the files that it names have to be
    /// regular files of at most 1 MiB.
    ///
    /// # Errors
    /// [`ConfigError`]: that the file cannot be read, or all that is wrong with it.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(file, &Environment::of_process())
    }

    /// Reads `file`, and the variables of `environment`.
    ///
    /// # Errors
    /// As those of [`load`](Self::load).
    pub fn load_with(
        file: impl AsRef<Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
        let opened = file::open(file).map_err(|error| unreadable(error.into()))?;
        let mode = file::mode(&opened).map_err(unreadable)?;
        let text = file::read(&opened).and_then(file::text);
        let text = text.map_err(|error| unreadable(error.into()))?;
        Ok(Self { mode, ..Self::parse(&text, file, environment)? })
    }

    /// Reads `text`. `file` is what errors call it, and its folder is where other files are looked
    /// for.
    ///
    /// # Errors
    /// [`ConfigError::Mistakes`]: all that is wrong with it.
    pub fn parse(
        text: &str,
        file: impl AsRef<Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let file = file.as_ref();
        let mut reader = Reader::new(file, text, environment);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let at = error.span().map_or(0, |span| span.start);
                reader.mistake(reader.place(at), "", "TOML", error.message(), None);
            }
            return Err(ConfigError::Mistakes(reader.into_mistakes()));
        }
        let mut root = Section::root(document.get_ref());
        let mut section = root.section(&mut reader, "node");
        let draft = node::read(&mut reader, &mut section);
        let others = peers::read(&mut reader, &mut root, &mut section, draft.identity());
        section.finish(&mut reader);
        let listen = listen::read(&mut reader, &mut root);
        let security =
            security::read(&mut reader, &mut root, others.mutual, &draft, &listen, &others.peers);
        let cluster = cluster::read(&mut reader, &mut root, &listen, draft.cookie());
        let view = view::read(&mut reader, &mut root);
        let metrics = metrics::read(&mut reader, &mut root);
        let traces = traces::read(&mut reader, &mut root);
        root.finish(&mut reader);
        reader.unknown_variables();
        let inline_cookie = reader.inline_cookie.take();
        match (draft.settle(), reader.into_mistakes()) {
            (Some(node), mistakes) if mistakes.is_empty() => Ok(Self {
                file: file.to_owned(),
                node,
                listen,
                peers: others.peers,
                numbers: others.numbers,
                authorities: others.authorities,
                security,
                cluster,
                view,
                metrics,
                traces,
                inline_cookie,
                mode: None,
            }),
            (_, mistakes) => Err(ConfigError::Mistakes(mistakes)),
        }
    }

    /// How far away a node is that announces this name (before the `@`) and this number: what is
    /// said of the name, or else of the number.
    #[must_use]
    pub fn location(&self, name: Option<&str>, number: Option<u64>) -> Location {
        let named = self.peers.iter().find(|peer| Some(peer.name.as_str()) == name);
        let by_name = named.map_or(Location::Auto, |peer| *peer.location);
        match (by_name, number) {
            (Location::Auto, Some(number)) => {
                self.numbers.get(&number).map_or(Location::Auto, |location| **location)
            }
            (location, _) => location,
        }
    }
}
