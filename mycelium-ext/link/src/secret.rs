//! The secret of a session, which both ends know: it makes a further link part of the session.
//!
//! Each end gives half of it over the authenticated first link, and the cookie goes in as well: who
//! only listened to that link cannot attach another. Proofs are HMAC-SHA-256 over both nonces of
//! the new link, the role of who proves, and the kind of transport, and are compared in constant
//! time.
//!
//! ```
//! use mycelium_link::secret::{Nonces, Role, Secret, draw};
//!
//! let (client, server) = (draw(), draw());
//! let secret = Secret::new("the cookie", &client, &server).expect("both shares have 32 bytes");
//! let nonces = Nonces { dialler: draw(), listener: draw() };
//! let proof = secret.proof(Role::Dialler, "unix", &nonces);
//! assert!(secret.verify(Role::Dialler, "unix", &nonces, &proof));
//! // It proves nothing for the other end, for another kind of link, or with another cookie.
//! assert!(!secret.verify(Role::Listener, "unix", &nonces, &proof));
//! assert!(!secret.verify(Role::Dialler, "tcp", &nonces, &proof));
//! let other = Secret::new("another", &client, &server).expect("both shares have 32 bytes");
//! assert!(!other.verify(Role::Dialler, "unix", &nonces, &proof));
//! ```

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// The bytes of a share, of a nonce, of a session's name and of a proof.
pub const BYTES: usize = 32;

/// By which name a session is found; it tells nothing of the key.
pub type SessionName = [u8; BYTES];

/// Which end proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one who connected the link.
    Dialler,
    /// The one who was connected to.
    Listener,
}

impl Role {
    /// For hashes; all are of one length.
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Dialler => b"dialler.",
            Self::Listener => b"listener",
        }
    }
}

/// The key of a session's links.
#[derive(Clone)]
pub struct Secret {
    name: SessionName,
    key: [u8; BYTES],
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Of the cookie and both shares; `client` is the end that made the first link. `None` when a
    /// share is not one.
    pub fn new(cookie: &str, client: &[u8], server: &[u8]) -> Option<Self> {
        if client.len() != BYTES || server.len() != BYTES {
            return None;
        }
        let name = Sha256::new()
            .chain_update(b"session")
            .chain_update(client)
            .chain_update(server)
            .finalize()
            .into();
        let mut key = keyed(cookie.as_bytes());
        key.update(b"links");
        key.update(client);
        key.update(server);
        Some(Self { name, key: key.finalize().into_bytes().into() })
    }

    /// The session's name.
    pub fn name(&self) -> SessionName {
        self.name
    }

    /// What `role` says to prove that it knows the secret.
    pub fn proof(&self, role: Role, kind: &str, nonces: &Nonces) -> Vec<u8> {
        self.mac(role, kind, nonces).finalize().into_bytes().to_vec()
    }

    /// Whether `proof` is what `role` has to say.
    pub fn verify(&self, role: Role, kind: &str, nonces: &Nonces, proof: &[u8]) -> bool {
        self.mac(role, kind, nonces).verify_slice(proof).is_ok()
    }

    fn mac(&self, role: Role, kind: &str, nonces: &Nonces) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(role.name());
        mac.update(&nonces.dialler);
        mac.update(&nonces.listener);
        // Last, since its length varies.
        mac.update(kind.as_bytes());
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What both ends of a new link drew.
#[derive(Debug, Clone, Copy)]
pub struct Nonces {
    /// The nonce of the end that connected.
    pub dialler: [u8; BYTES],
    /// The nonce of the other end.
    pub listener: [u8; BYTES],
}

/// Compares two digests, in a time that does not tell where they differ.
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    ours.ct_eq(theirs).into()
}

/// A nonce, or a share.
pub fn draw() -> [u8; BYTES] {
    crate::chance::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces() -> Nonces {
        Nonces { dialler: draw(), listener: draw() }
    }

    #[test]
    fn both_ends_agree() {
        let (client, server) = (draw(), draw());
        let here = Secret::new("cookie", &client, &server).unwrap();
        let there = Secret::new("cookie", &client, &server).unwrap();
        let nonces = nonces();
        let proof = here.proof(Role::Dialler, "unix", &nonces);
        assert_eq!(here.name(), there.name());
        assert!(there.verify(Role::Dialler, "unix", &nonces, &proof));
    }

    #[test]
    fn a_proof_is_of_one_role_kind_link_and_cookie() {
        let (client, server) = (draw(), draw());
        let secret = Secret::new("cookie", &client, &server).unwrap();
        let link = nonces();
        let proof = secret.proof(Role::Dialler, "unix", &link);
        let is_it = |secret: &Secret, role, kind, nonces: &Nonces| {
            secret.verify(role, kind, nonces, &proof)
        };
        let unix = "unix";
        assert!(is_it(&secret, Role::Dialler, unix, &link));
        assert!(!is_it(&secret, Role::Listener, unix, &link));
        assert!(!is_it(&secret, Role::Dialler, "tcp", &link));
        assert!(!is_it(&secret, Role::Dialler, unix, &nonces()));
        let other = Secret::new("another cookie", &client, &server).unwrap();
        assert!(!is_it(&other, Role::Dialler, unix, &link));
        let swapped = Secret::new("cookie", &server, &client).unwrap();
        assert!(!is_it(&swapped, Role::Dialler, unix, &link));
        assert!(!secret.verify(Role::Dialler, unix, &link, &proof[1..]));
    }

    #[test]
    fn a_short_share_makes_no_secret() {
        assert!(Secret::new("cookie", &[0; 31], &draw()).is_none());
        assert!(Secret::new("cookie", &draw(), &[]).is_none());
    }
}
