//! What may stand behind a key, one type each.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use ractor::actor::actor_config::TransportPreference;
use ractor_cluster::link::options::{Location, UnixListening};

use super::secret::Secret;
use crate::address::{self, Address, Endpoint};

/// The name of a node, which stands before the `@` of its full name: not empty, and without `@`,
/// white space and control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let bad = |c: char| c == '@' || c.is_whitespace() || c.is_control();
        if text.is_empty() || text.contains(bad) {
            return Err(InvalidName { text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

/// Says that a text cannot be a node's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    text: String,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no name of a node: it is not empty, and has neither @ nor white space",
            self.text
        )
    }
}

impl std::error::Error for InvalidName {}

/// Whom a node connects to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionMode {
    /// Those that it is told to.
    #[default]
    Isolated,
    /// The peers of its peers as well.
    Transitive,
}

impl fmt::Display for ConnectionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Isolated => "isolated",
            Self::Transitive => "transitive",
        })
    }
}

/// How `location` is written in a configuration.
pub(super) const fn location_word(location: Location) -> &'static str {
    match location {
        Location::Auto => "auto",
        Location::Local => "local",
        Location::Remote => "remote",
    }
}

/// How `unix` is written in a configuration.
pub(super) fn unix_word(unix: &UnixListening) -> String {
    match unix {
        UnixListening::At(path) => path.display().to_string(),
        UnixListening::Off => "off".to_owned(),
        _ => "auto".to_owned(),
    }
}

/// How `preference` is written in a configuration.
pub(super) const fn preference_word(preference: TransportPreference) -> &'static str {
    match preference {
        TransportPreference::Arc => "arc",
        TransportPreference::SharedMemory => "shm",
        TransportPreference::UnixSocket => "unix",
        TransportPreference::Tcp => "tcp",
        TransportPreference::Tls => "tls",
        _ => "adaptive",
    }
}

/// A value behind a key.
pub(super) trait Value: Sized {
    /// What may stand there, for people.
    const EXPECTED: &'static str;
    /// Whether the file writes it as a number, and not as a text.
    const NUMBER: bool = false;
    /// Whether the file writes it as `true` or `false`, and not as a text.
    const SWITCH: bool = false;
    /// Whether it is kept out of errors.
    const SECRET: bool = false;

    /// Reads it, or says why it cannot be, if there is more to say than what was expected.
    fn read(text: &str) -> Result<Self, Option<String>>;
}

/// What is written as one of a few words.
macro_rules! words {
    ($type:ty, $expected:literal, $($word:literal => $value:expr),+ $(,)?) => {
        impl Value for $type {
            const EXPECTED: &'static str = $expected;

            fn read(text: &str) -> Result<Self, Option<String>> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err(super::suggest::nearest(text, [$($word),+])),
                }
            }
        }
    };
}

words!(TransportPreference, "\"adaptive\", \"arc\", \"shm\", \"unix\", \"tcp\", \"tls\" or \"external\"",
    "adaptive" => Self::Adaptive, "arc" => Self::Arc, "shm" => Self::SharedMemory,
    "unix" => Self::UnixSocket, "tcp" => Self::Tcp, "tls" => Self::Tls, "external" => Self::External);
words!(Location, "\"local\", \"remote\" or \"auto\"",
    "local" => Self::Local, "remote" => Self::Remote, "auto" => Self::Auto);
words!(super::shm::ShmLinks, "\"auto\" or \"off\"", "auto" => Self::Auto, "off" => Self::Off);
words!(super::view::ViewSocket, "\"on\" or \"off\"", "on" => Self::On, "off" => Self::Off);
words!(ConnectionMode, "\"isolated\" or \"transitive\"",
    "isolated" => Self::Isolated, "transitive" => Self::Transitive);

impl Value for NodeName {
    const EXPECTED: &'static str = "a name without @ and white space";

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(|_| None)
    }
}

/// The name of a host, as a value: not empty.
pub(super) struct Host(pub(super) String);

impl Value for Host {
    const EXPECTED: &'static str = "the name or the IP address of a host";

    fn read(text: &str) -> Result<Self, Option<String>> {
        address::host_name(text).map(|()| Self(text.to_owned())).map_err(Some)
    }
}

/// The number that a node announces.
impl Value for u64 {
    const EXPECTED: &'static str = "a whole number that is not negative";
    const NUMBER: bool = true;

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(|_| None)
    }
}

/// Whether something is on.
impl Value for bool {
    const EXPECTED: &'static str = "true or false";
    const SWITCH: bool = true;

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(|_| None)
    }
}

/// A number of bytes, not 0.
pub(super) struct Size(pub(super) u64);

impl Value for Size {
    const EXPECTED: &'static str = "a size, such as \"16 MiB\"";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let size: ByteSize = text.parse().map_err(|_| None)?;
        match size.as_u64() {
            0 => Err(Some("it is not 0".to_owned())),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl Value for Duration {
    const EXPECTED: &'static str = "a duration, such as \"5s\" or \"100ms\"";

    fn read(text: &str) -> Result<Self, Option<String>> {
        match humantime::parse_duration(text).map_err(|error| Some(error.to_string()))? {
            Self::ZERO => Err(Some("it is not 0".to_owned())),
            long if long > MAX_DURATION => Err(Some("a year is the most".to_owned())),
            duration => Ok(duration),
        }
    }
}

/// A duration, or zero for what never happens.
pub(super) struct OrOff(pub(super) Duration);

impl Value for OrOff {
    const EXPECTED: &'static str = "a duration, such as \"5s\", or \"off\"";

    fn read(text: &str) -> Result<Self, Option<String>> {
        match text {
            "off" => Ok(Self(Duration::ZERO)),
            text => Duration::read(text).map(Self),
        }
    }
}

/// So that no clock overflows when it is added.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

impl Value for Address {
    const EXPECTED: &'static str = "tcp://host:port, tls://host:port or unix:///path";

    fn read(text: &str) -> Result<Self, Option<String>> {
        text.parse().map_err(|error: address::InvalidAddress| Some(error.why().to_owned()))
    }
}

/// Where to listen: `host:port`, or a port alone, which is one of loopback.
pub(super) struct Bind(pub(super) Endpoint);

impl Value for Bind {
    const EXPECTED: &'static str = "\"host:port\", or \"port\" to listen on loopback only";

    fn read(text: &str) -> Result<Self, Option<String>> {
        if let Ok(port) = text.parse::<u16>() {
            return Ok(Self(Endpoint::loopback(port)));
        }
        text.parse()
            .map(Self)
            .map_err(|error: address::InvalidAddress| Some(error.why().to_owned()))
    }
}

impl Value for UnixListening {
    const EXPECTED: &'static str = "\"auto\", \"off\" or the absolute path of a socket";

    fn read(text: &str) -> Result<Self, Option<String>> {
        match text {
            "auto" => Ok(Self::Automatic),
            "off" => Ok(Self::Off),
            path => {
                let path = PathBuf::from(path);
                address::socket_path(&path).map_err(Some)?;
                Ok(Self::At(path))
            }
        }
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "the path of a file";

    fn read(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() { Err(None) } else { Ok(Self::from(text)) }
    }
}

/// The name of an environment variable.
pub(super) struct Variable(pub(super) String);

impl Value for Variable {
    const EXPECTED: &'static str = "the name of an environment variable";

    fn read(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() || text.contains(['=', '\0']) {
            return Err(None);
        }
        Ok(Self(text.to_owned()))
    }
}

impl Value for Secret {
    const EXPECTED: &'static str = "a text that is not empty";
    const SECRET: bool = true;

    fn read(text: &str) -> Result<Self, Option<String>> {
        if text.is_empty() { Err(None) } else { Ok(Self::new(text)) }
    }
}
