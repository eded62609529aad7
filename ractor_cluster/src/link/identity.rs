//! What tells one machine, and one process, from another.
//!
//! Both go to authenticated peers only, and hashed with the nonces of the connection, so that nobody
//! learns an identity that is of use elsewhere. They are hints: a peer that lies about them is
//! looked for where it is not, and not found.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// As bytes of a protocol message.
type Hashed = Vec<u8>;

/// This machine and this network namespace, or `None` where the system does not tell.
///
/// Two containers of one machine differ by their network namespace, though they may see the same
/// files: what is reached by other addresses counts as another machine.
pub(crate) fn machine(salt: &[u8]) -> Option<Hashed> {
    static RAW: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let raw = RAW.get_or_init(raw_machine).as_ref()?;
    Some(hash(b"machine", salt, raw))
}

#[cfg(target_os = "linux")]
fn raw_machine() -> Option<Vec<u8>> {
    use std::os::unix::fs::MetadataExt;

    // Of this boot: a virtual machine and its clone have one machine id, and differ here.
    let mut raw = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let network = std::fs::metadata("/proc/self/ns/net").ok()?;
    raw.extend(network.dev().to_be_bytes());
    raw.extend(network.ino().to_be_bytes());
    // A boot id is the kernel's, and each of its containers may have users of its own.
    let users = std::fs::metadata("/proc/self/ns/user").ok()?;
    raw.extend(users.ino().to_be_bytes());
    Some(raw)
}

#[cfg(not(target_os = "linux"))]
fn raw_machine() -> Option<Vec<u8>> {
    None
}

/// This process.
pub(crate) fn process(salt: &[u8]) -> Hashed {
    static RAW: OnceLock<[u8; 32]> = OnceLock::new();
    hash(b"process", salt, RAW.get_or_init(rand::random))
}

fn hash(what: &[u8], salt: &[u8], raw: &[u8]) -> Hashed {
    let mut hash = Sha256::new();
    for part in [what, salt, raw] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{machine, process};

    #[test]
    fn an_identity_is_stable_and_depends_on_the_salt() {
        assert_eq!(process(b"one"), process(b"one"));
        assert_ne!(process(b"one"), process(b"two"));
        assert_eq!(machine(b"one"), machine(b"one"));
        if let (Some(one), Some(two)) = (machine(b"one"), machine(b"two")) {
            assert_ne!(one, two);
            assert_ne!(one, process(b"one"));
        }
    }
}
