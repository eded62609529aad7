//! What both ends of a session's first connection have said so far, and the proof over it that they
//! know the cookie.
//!
//! Stock's challenge has 32 bits and is about nothing but itself: who relays it, or keeps an
//! answer, is let in. This proof is HMAC-SHA-256 over both ends' nonces of 32 bytes, their names,
//! addresses and versions, the kind of channel that each end sees, and, where the channel has one,
//! its binding. It is good for one end of one connection.
//!
//! ```
//! use mycelium_link::secret::{Role, draw};
//! use mycelium_link::transcript::{End, Transcript};
//!
//! let end = |name: &str| End {
//!     version: 2,
//!     nonce: draw().to_vec(),
//!     channel: "tcp".into(),
//!     bound: false,
//!     name: name.into(),
//!     connection_string: "127.0.0.1:4697".into(),
//!     protocol: 1,
//!     incarnation: None,
//! };
//! let mut transcript =
//!     Transcript { dialler: end("a@h"), listener: end("b@h"), connection_id: 7, binding: None };
//! let proof = transcript.proof("the cookie", Role::Dialler);
//! assert!(transcript.verify("the cookie", Role::Dialler, &proof));
//! assert!(!transcript.verify("the cookie", Role::Listener, &proof));
//! // An attacker who changes what an end said has no proof of it.
//! transcript.listener.name = "c@h".into();
//! assert!(!transcript.verify("the cookie", Role::Dialler, &proof));
//! ```

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Role;

/// What the proof is of; another version of it has another label.
const LABEL: &[u8] = b"mycelium: first connection of a session, 1";

/// The version since which a `Hello` has an incarnation.
const INCARNATIONS: u32 = 2;

/// What one end said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The version of its protocol.
    pub version: u32,
    /// What it drew for this connection.
    pub nonce: Vec<u8>,
    /// The kind of channel that it sees.
    pub channel: String,
    /// Whether that channel has a binding.
    pub bound: bool,
    /// Its name.
    pub name: String,
    /// Where it says that it can be connected to.
    pub connection_string: String,
    /// The version of stock's protocol.
    pub protocol: u32,
    /// Its incarnation, as it goes over the wire.
    pub incarnation: Option<Vec<u8>>,
}

impl End {
    fn add_to(&self, mac: &mut Hmac<Sha256>) {
        part(mac, &self.version.to_be_bytes());
        part(mac, &self.nonce);
        part(mac, self.channel.as_bytes());
        part(mac, &[u8::from(self.bound)]);
        part(mac, self.name.as_bytes());
        part(mac, self.connection_string.as_bytes());
        part(mac, &self.protocol.to_be_bytes());
    }
}

/// See the module's documentation.
pub struct Transcript {
    /// The end that connected.
    pub dialler: End,
    /// The other end.
    pub listener: End,
    /// Drawn by the dialler, for choosing between two connections.
    pub connection_id: u64,
    /// The channel's, if both ends say that it has one.
    pub binding: Option<[u8; 32]>,
}

impl Transcript {
    /// Whether the proof is about the ends' incarnations. Their versions are part of every proof,
    /// so that no attacker in between can make it cover less.
    pub fn covers_incarnations(&self) -> bool {
        self.dialler.version >= INCARNATIONS && self.listener.version >= INCARNATIONS
    }

    /// What `role` says.
    pub fn proof(&self, cookie: &str, role: Role) -> Vec<u8> {
        self.mac(cookie, role).finalize().into_bytes().to_vec()
    }

    /// Whether `proof` is what `role` has to say; takes as long for one that is wrong early as for
    /// one that is wrong late.
    pub fn verify(&self, cookie: &str, role: Role, proof: &[u8]) -> bool {
        self.mac(cookie, role).verify_slice(proof).is_ok()
    }

    fn mac(&self, cookie: &str, role: Role) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(cookie.as_bytes())
            .expect("HMAC takes keys of any length");
        part(&mut mac, LABEL);
        part(&mut mac, role.name());
        self.dialler.add_to(&mut mac);
        self.listener.add_to(&mut mac);
        part(&mut mac, &self.connection_id.to_be_bytes());
        part(&mut mac, self.binding.as_ref().map_or(&[], |binding| binding.as_slice()));
        if self.covers_incarnations() {
            for end in [&self.dialler, &self.listener] {
                part(&mut mac, end.incarnation.as_deref().unwrap_or_default());
            }
        }
        mac
    }
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transcript(…)")
    }
}

/// Behind its length, so that no two lists of parts look the same.
fn part(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &str) -> End {
        End {
            version: 2,
            nonce: vec![3; 32],
            channel: "tls".to_owned(),
            bound: true,
            name: name.to_owned(),
            connection_string: "host:1".to_owned(),
            protocol: 1,
            incarnation: Some(vec![5; 16]),
        }
    }

    fn transcript() -> Transcript {
        let (dialler, listener) = (end("a@host"), end("b@host"));
        Transcript { dialler, listener, connection_id: 7, binding: Some([9; 32]) }
    }

    #[test]
    fn both_ends_agree() {
        for role in [Role::Dialler, Role::Listener] {
            let proof = transcript().proof("cookie", role);
            assert!(transcript().verify("cookie", role, &proof));
            assert!(!transcript().verify("another", role, &proof));
            assert!(!transcript().verify("cookie", role, &proof[1..]));
            assert!(!transcript().verify("cookie", role, &[]));
        }
        let proof = transcript().proof("cookie", Role::Dialler);
        assert!(!transcript().verify("cookie", Role::Listener, &proof));
    }

    type Change = fn(&mut Transcript);

    #[test]
    fn a_proof_is_about_everything_that_was_said() {
        let proof = transcript().proof("cookie", Role::Dialler);
        let changes: [(&str, Change); 16] = [
            ("nonce", |it| it.dialler.nonce[31] ^= 1),
            ("the other nonce", |it| it.listener.nonce[0] ^= 1),
            ("name", |it| it.dialler.name = "c@host".to_owned()),
            ("the other name", |it| it.listener.name = "c@host".to_owned()),
            ("address", |it| it.dialler.connection_string = "host:2".to_owned()),
            ("version of the fork's", |it| it.listener.version = 1),
            ("incarnation", |it| it.dialler.incarnation = Some(vec![6; 16])),
            ("the other incarnation", |it| it.listener.incarnation = Some(vec![6; 16])),
            ("no incarnation", |it| it.dialler.incarnation = None),
            ("version of stock's", |it| it.listener.protocol = 2),
            ("channel", |it| it.listener.channel = "tcp".to_owned()),
            ("having a binding", |it| it.dialler.bound = false),
            ("connection id", |it| it.connection_id = 8),
            ("binding", |it| it.binding = Some([8; 32])),
            ("no binding", |it| it.binding = None),
            ("who is who", |it| std::mem::swap(&mut it.dialler, &mut it.listener)),
        ];
        for (what, change) in changes {
            let mut other = transcript();
            change(&mut other);
            assert!(!other.verify("cookie", Role::Dialler, &proof), "{what}");
        }
        // Bytes do not wander from one part into the next.
        let mut moved = transcript();
        moved.dialler.name = "a@hosthost".to_owned();
        moved.dialler.connection_string = ":1".to_owned();
        assert!(!moved.verify("cookie", Role::Dialler, &proof));
    }
}
