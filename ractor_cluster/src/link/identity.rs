//! What tells one machine, and one process, from another.
//!
//! Both go to authenticated peers only, hashed with the nonces of the connection, so that no peer
//! learns an identity that is of use elsewhere, and with the end that says it, so that no peer can
//! repeat what it was told. They are hints: a peer that lies about them is looked for where it is
//! not, and not found.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use mycelium_link::chance;
use mycelium_link::secret::Role;

/// As bytes of a protocol message.
type Hashed = Vec<u8>;

/// This machine and this network namespace as `end` says it, or `None` where the system does not
/// tell.
///
/// Two containers of one machine differ by their network namespace, though they may see the same
/// files: what is reached by other addresses counts as another machine.
pub(crate) fn machine(salt: &[u8], end: Role) -> Option<Hashed> {
    static RAW: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let raw = RAW.get_or_init(raw_machine).as_ref()?;
    Some(hash("machine", end, salt, raw))
}

/// What tells this machine and network namespace from others among those that know `salt`, as 64
/// hexadecimal digits; `None` where the system does not tell. It changes with each boot. It is a
/// hint and proves nothing.
#[must_use]
pub fn machine_label(salt: &str) -> Option<String> {
    if chance::is_simulated() {
        // Hosts of a simulation are machines of their own.
        return None;
    }
    static RAW: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let raw = RAW.get_or_init(raw_machine).as_ref()?;
    let mut label = Sha256::new();
    for part in [b"label of a machine", salt.as_bytes(), raw] {
        label.update((part.len() as u64).to_be_bytes());
        label.update(part);
    }
    Some(label.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
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

/// This process, as `end` says it.
pub(crate) fn process(salt: &[u8], end: Role) -> Hashed {
    static RAW: OnceLock<[u8; 32]> = OnceLock::new();
    hash("process", end, salt, RAW.get_or_init(rand::random))
}

fn hash(what: &str, end: Role, salt: &[u8], raw: &[u8]) -> Hashed {
    let mut hash = Sha256::new();
    for part in [what.as_bytes(), end.name(), salt, raw] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::{machine, machine_label, process, Role};

    #[test]
    fn a_label_is_stable_and_depends_on_the_salt() {
        assert_eq!(machine_label("one"), machine_label("one"));
        if let Some(label) = machine_label("one") {
            assert_eq!(label.len(), 64);
            assert_ne!(Some(label), machine_label("two"));
        }
    }

    #[test]
    fn an_identity_is_stable_and_depends_on_the_salt_and_on_who_says_it() {
        use Role::{Dialler, Listener};

        assert_eq!(process(b"one", Dialler), process(b"one", Dialler));
        assert_ne!(process(b"one", Dialler), process(b"two", Dialler));
        assert_ne!(process(b"one", Dialler), process(b"one", Listener));
        assert_eq!(machine(b"one", Dialler), machine(b"one", Dialler));
        if let Some(one) = machine(b"one", Dialler) {
            assert_ne!(Some(&one), machine(b"two", Dialler).as_ref());
            assert_ne!(Some(&one), machine(b"one", Listener).as_ref());
            assert_ne!(one, process(b"one", Dialler));
        }
    }
}
