//! Seals datagrams: encrypts and authenticates them with a key that only the cluster can derive.
//!
//! The key of a sender is derived from the cluster's secret and the sender's session, which is
//! random for each start. So no two starts share a nonce, and the nonce is a counter. The head of a
//! datagram is authenticated as it stands.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};

/// Which start of a sender a datagram is of: random.
pub(crate) type Session = [u8; 16];

/// The bytes of a datagram's head.
pub(crate) const HEAD: usize = 2 + 16 + 8 + 16;

/// The bytes that the seal adds behind the content.
pub(crate) const TAG: usize = 16;

/// The format.
pub(crate) const VERSION: u8 = 1;

/// What a datagram is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Asks the receiver for its session, with a challenge.
    Hello = 1,
    /// Answers the challenge, with one of its own.
    Reply = 2,
    /// Answers that.
    Confirm = 3,
    /// A part of a message.
    Data = 4,
}

impl Kind {
    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Reply,
            3 => Self::Confirm,
            4 => Self::Data,
            _ => return None,
        })
    }
}

/// The head of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// The sender's.
    pub(crate) session: Session,
    /// Never the same twice in one session.
    pub(crate) counter: u64,
    /// The receiver's session; zeros where it is not known.
    pub(crate) to: Session,
}

impl Head {
    fn write(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[0] = VERSION;
        bytes[1] = self.kind as u8;
        bytes[2..18].copy_from_slice(&self.session);
        bytes[18..26].copy_from_slice(&self.counter.to_be_bytes());
        bytes[26..].copy_from_slice(&self.to);
        bytes
    }

    /// Reads the head, which nothing has verified yet.
    pub(crate) fn read(datagram: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD] = datagram.first_chunk()?;
        if head[0] != VERSION {
            return None;
        }
        let counter = head[18..26].try_into().ok()?;
        Some(Self {
            kind: Kind::of(head[1])?,
            session: head[2..18].try_into().ok()?,
            counter: u64::from_be_bytes(counter),
            to: head[26..].try_into().ok()?,
        })
    }
}

/// What the senders of a cluster derive their keys from. It prints as nothing.
pub(crate) struct ClusterKey(Prk);

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey")
    }
}

impl ClusterKey {
    /// Of a cluster of this name, whose nodes share `secret`.
    pub(crate) fn new(cluster: &str, secret: &[u8]) -> Self {
        let mut salt = b"mycelium gossip, format 1, of the cluster ".to_vec();
        salt.extend(cluster.as_bytes());
        Self(Salt::new(HKDF_SHA256, &salt).extract(secret))
    }

    /// The key of one session.
    pub(crate) fn of_session(&self, session: &Session) -> SessionKey {
        let info: [&[u8]; 2] = [b"session", session];
        let key = self.0.expand(&info, &AES_256_GCM).map(UnboundKey::from);
        // The length of a key is one that can be derived.
        SessionKey(LessSafeKey::new(key.unwrap_or_else(|_| unreachable!("a key of 32 bytes"))))
    }
}

/// The key of one session.
pub(crate) struct SessionKey(LessSafeKey);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl SessionKey {
    /// A datagram of `head` and `content`.
    pub(crate) fn seal(&self, head: &Head, content: &[u8]) -> Vec<u8> {
        let aad = head.write();
        let mut datagram = Vec::with_capacity(HEAD + content.len() + TAG);
        datagram.extend(aad);
        datagram.extend(content);
        let body = &mut datagram[HEAD..];
        let tag = self.0.seal_in_place_separate_tag(nonce(head.counter), Aad::from(aad), body);
        // It fails for gigabytes only.
        let tag = tag.unwrap_or_else(|_| unreachable!("a datagram is small"));
        datagram.extend(tag.as_ref());
        datagram
    }

    /// The content of `datagram`, if this key has sealed it as it stands.
    pub(crate) fn open(&self, head: &Head, datagram: &[u8]) -> Option<Vec<u8>> {
        let (aad, sealed) = datagram.split_at_checked(HEAD)?;
        let mut content = sealed.to_vec();
        let opened = self.0.open_in_place(nonce(head.counter), Aad::from(aad), &mut content);
        let length = opened.ok()?.len();
        content.truncate(length);
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_OF: Head = Head { kind: Kind::Data, session: [7; 16], counter: 9, to: [3; 16] };

    fn key(cluster: &str, secret: &[u8]) -> SessionKey {
        ClusterKey::new(cluster, secret).of_session(&HEAD_OF.session)
    }

    #[test]
    fn a_datagram_opens_with_its_own_key_alone() {
        let sealed = key("a", b"sesame").seal(&HEAD_OF, b"content");
        assert_eq!(sealed.len(), HEAD + 7 + TAG);
        assert!(!sealed.windows(7).any(|bytes| bytes == b"content"));
        let head = Head::read(&sealed).expect("a head");
        assert_eq!(head, HEAD_OF);
        assert_eq!(key("a", b"sesame").open(&head, &sealed).as_deref(), Some(&b"content"[..]));
        for other in [key("b", b"sesame"), key("a", b"Sesame")] {
            assert_eq!(other.open(&head, &sealed), None);
        }
        let of_another = ClusterKey::new("a", b"sesame").of_session(&[8; 16]);
        assert_eq!(of_another.open(&head, &sealed), None);
    }

    #[test]
    fn each_bit_of_a_datagram_is_authenticated() {
        let key = key("a", b"sesame");
        let sealed = key.seal(&HEAD_OF, b"content");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let opened = Head::read(&flipped).and_then(|head| key.open(&head, &flipped));
            assert_eq!(opened, None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            let cut = &sealed[..length];
            let opened = Head::read(cut).and_then(|head| key.open(&head, cut));
            assert_eq!(opened, None, "{length} bytes");
        }
    }

    #[test]
    fn keys_print_as_nothing() {
        let cluster = ClusterKey::new("a", b"sesame");
        let shown = format!("{cluster:?}{:?}", cluster.of_session(&[0; 16]));
        assert_eq!(shown, "ClusterKeySessionKey");
    }
}
