//! Where a node can be reached.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ractor_cluster::transport::TransportKind;

/// Where a peer is dialled, and where a node says that it listens: `tcp://host:port`,
/// `tls://host:port` or `unix:///path`.
///
/// ```
/// use mycelium_ext::address::Address;
///
/// let address: Address = "tcp://[::1]:4697".parse()?;
/// assert_eq!(address.to_string(), "tcp://[::1]:4697");
/// # Ok::<(), mycelium_ext::address::InvalidAddress>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// TCP.
    Tcp(Endpoint),
    /// TLS over TCP.
    Tls(Endpoint),
    /// A Unix socket of this machine, by its absolute path.
    Unix(PathBuf),
}

impl Address {
    /// Where a node listens; `None` for what cannot be dialled.
    pub(crate) fn of(kind: TransportKind, text: &str) -> Option<Self> {
        match kind {
            TransportKind::Tcp => endpoint(text).ok().map(Self::Tcp),
            TransportKind::Tls => endpoint(text).ok().map(Self::Tls),
            TransportKind::UnixSocket => Some(Self::Unix(PathBuf::from(text))),
            _ => None,
        }
    }

    /// Where TCP or TLS is spoken; `None` for a Unix socket.
    #[must_use]
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Tcp(endpoint) | Self::Tls(endpoint) => Some(endpoint),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Self::Tls(endpoint) => write!(f, "tls://{endpoint}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let wrong = |why: String| InvalidAddress { text: text.to_owned(), why };
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| wrong("it does not start with tcp://, tls:// or unix://".to_owned()))?;
        match scheme {
            "tcp" => endpoint(rest).map(Self::Tcp).map_err(wrong),
            "tls" => endpoint(rest).map(Self::Tls).map_err(wrong),
            "unix" => socket_path(Path::new(rest))
                .map(|()| Self::Unix(PathBuf::from(rest)))
                .map_err(wrong),
            _ => Err(wrong(format!("there is no transport \"{scheme}\""))),
        }
    }
}

/// A host, by name or number, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// This machine only.
    pub(crate) fn loopback(port: u16) -> Self {
        std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port)).into()
    }

    /// The host: a name, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0, where one listens, asks for any free one.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host, when it is given by number.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl From<std::net::SocketAddr> for Endpoint {
    fn from(address: std::net::SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        endpoint(text).map_err(|why| InvalidAddress { text: text.to_owned(), why })
    }
}

/// Says why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAddress {
    text: String,
    why: String,
}

impl InvalidAddress {
    /// The reason alone, without the text.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no address: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidAddress {}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (host, port) =
        text.rsplit_once(':').ok_or("the port is missing: host:port is what is needed")?;
    let port = port.parse().map_err(|_| format!("\"{port}\" is no port (0 to 65535)"))?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(number) => match number.parse::<std::net::Ipv6Addr>() {
            Ok(_) => number,
            Err(_) => return Err(format!("\"{number}\" is no IPv6 address")),
        },
        None if host.contains(':') => {
            return Err("an IPv6 address stands in brackets: [::1]:4697".to_owned());
        }
        None => host,
    };
    host_name(host)?;
    Ok(Endpoint { host: host.to_owned(), port })
}

/// Checks what a host may be called. Colons are those of IPv6.
pub(crate) fn host_name(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    match host.chars().find(|&c| !(c.is_ascii_alphanumeric() || ".-_:%".contains(c))) {
        Some(c) => Err(format!("a host has no {c:?} in its name")),
        None => Ok(()),
    }
}

/// Checks that a Unix socket can have this path.
pub(crate) fn socket_path(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("the path of a socket is absolute: unix:///run/node.sock".to_owned());
    }
    #[cfg(unix)]
    std::os::unix::net::SocketAddr::from_pathname(path)
        .map_err(|_| "the path is too long for a socket (about 100 bytes)".to_owned())?;
    Ok(())
}
