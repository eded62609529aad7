//! What a membership is started with.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::member::Incarnation;

/// A secret of the cluster. It prints as nothing.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// From its bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a membership is started with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The full name of this node, `name@host`.
    pub name: String,
    /// Which start of it this is.
    pub incarnation: Incarnation,
    /// The name of the cluster. Nodes of others have other keys.
    pub cluster: String,
    /// The secrets that open datagrams; the first also seals.
    pub secrets: Vec<Secret>,
    /// Where it listens, by UDP; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where others reach that; `None`: there. Needed where `listen` is an unspecified address.
    pub advertise: Option<SocketAddr>,
    /// Where the node may be dialled.
    pub addresses: Vec<String>,
    /// What tells its machine from others.
    pub machine: Option<String>,
    /// Where it looks for others: `host:port` each.
    pub seeds: Vec<String>,
    /// Between two rounds of gossip.
    pub interval: Duration,
    /// How long a member that is down stays in the list.
    pub forget_after: Duration,
}

impl Options {
    /// The interval of gossip that others are measured by.
    pub const INTERVAL: Duration = Duration::from_millis(500);

    /// How long a member that is down stays in the list.
    pub const FORGET_AFTER: Duration = Duration::from_secs(600);

    /// Those of a node that listens on `listen`, with defaults for the rest and no seeds.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        incarnation: Incarnation,
        secret: Secret,
        listen: SocketAddr,
    ) -> Self {
        Self {
            name: name.into(),
            incarnation,
            cluster: "mycelium".to_owned(),
            secrets: vec![secret],
            listen,
            advertise: None,
            addresses: Vec::new(),
            machine: None,
            seeds: Vec::new(),
            interval: Self::INTERVAL,
            forget_after: Self::FORGET_AFTER,
        }
    }
}
