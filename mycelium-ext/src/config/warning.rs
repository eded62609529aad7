//! What a configuration permits and should not, as far as it can be seen.

use std::fmt;
use std::path::PathBuf;

use super::error::Place;
use super::{Config, StreamListen};
use crate::address::{Address, Endpoint};

/// The length in bytes from which on a cookie is long enough.
const LONG_ENOUGH: usize = 16;

/// The bits of a file's mode that let its group and others read it.
const READABLE: u32 = 0o044;

/// A risk in a configuration that is right otherwise: a node starts with it. It prints on one line,
/// with what to do. Secrets do not occur in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The file has the cookie in it, and others than its owner may read the file.
    ReadableCookie {
        /// Where the cookie stands.
        place: Place,
        /// The file.
        file: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The cookie has fewer than 16 bytes.
    ShortCookie {
        /// Where it is written, or its file or variable is named; `None` if the program set it.
        place: Option<Place>,
    },
    /// Other machines may reach a listener without TLS.
    PlainListener {
        /// Where it is written; `None` if the program set it.
        place: Option<Place>,
        /// Where it listens.
        address: Address,
    },
    /// Other machines may read the metrics.
    PublicMetrics {
        /// Where it is written; `None` if the program set it.
        place: Option<Place>,
        /// Where they are read.
        listen: Endpoint,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |f: &mut fmt::Formatter<'_>, place: &Option<Place>| match place {
            Some(place) => write!(f, "{place}: "),
            None => Ok(()),
        };
        match self {
            Self::ReadableCookie { place, file, mode } => write!(
                f,
                "{place}: the cookie is in a file that others than its owner may read (mode \
                 {mode:04o}); run `chmod 600 {}`, or use cookie_file or cookie_env",
                file.display()
            ),
            Self::ShortCookie { place } => {
                at(f, place)?;
                write!(
                    f,
                    "the cookie has fewer than {LONG_ENOUGH} bytes and may be guessed; use \
                     {LONG_ENOUGH} random bytes or more"
                )
            }
            Self::PlainListener { place, address } => {
                at(f, place)?;
                write!(
                    f,
                    "other machines may reach {address}, and nothing is encrypted there; use tls \
                     with a certificate and a key, or listen on 127.0.0.1"
                )
            }
            Self::PublicMetrics { place, listen } => {
                at(f, place)?;
                write!(
                    f,
                    "other machines may read the metrics at {listen}, without a proof; listen on \
                     127.0.0.1, or where the scraper alone gets to"
                )
            }
        }
    }
}

impl Config {
    /// What is risky in this configuration, as it is now. None of it keeps a node from starting; a
    /// node logs each once when it starts.
    ///
    /// The mode of the file is known where [`load`](Self::load) read it, on Unix.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if let (Some(place), Some(mode)) = (&self.inline_cookie, self.mode) {
            if mode & READABLE != 0 {
                let (place, file) = (place.clone(), self.file.clone());
                warnings.push(Warning::ReadableCookie { place, file, mode });
            }
        }
        let cookie = &self.node.cookie;
        if cookie.reveal().len() < LONG_ENOUGH {
            warnings.push(Warning::ShortCookie { place: cookie.place().cloned() });
        }
        for listen in &self.listen.streams {
            if let StreamListen::Tcp(endpoint) = &**listen {
                if !is_loopback(endpoint) {
                    let (place, address) = (listen.place().cloned(), listen.address());
                    warnings.push(Warning::PlainListener { place, address });
                }
            }
        }
        if let Some(listen) = self.metrics.listen.as_ref().filter(|it| !is_loopback(it)) {
            let (place, listen) = (listen.place().cloned(), (**listen).clone());
            warnings.push(Warning::PublicMetrics { place, listen });
        }
        warnings
    }
}

/// Whether only this machine reaches it. A name counts as loopback only if it is `localhost`.
fn is_loopback(endpoint: &Endpoint) -> bool {
    match endpoint.ip() {
        Some(ip) => ip.to_canonical().is_loopback(),
        None => endpoint.host().eq_ignore_ascii_case("localhost"),
    }
}
