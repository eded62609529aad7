//! `[node.shm]`: links by shared memory.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use super::reader::{Reader, Section};
use super::setting::Setting;
use super::values::Value;

/// As [`shm::CAPACITY`](crate::shm::CAPACITY), also where there are no such links: a file may be
/// checked on another system than the one that it is for.
pub(crate) const RING: std::ops::RangeInclusive<u64> = 4096..=1 << 30;
pub(crate) const DEFAULT_RING: u64 = 1024 * 1024;
/// The sizes that an arena may have, also where there is none.
const ARENA: std::ops::RangeInclusive<u64> = 0..=64 << 30;
const DEFAULT_ARENA: u64 = 256 << 20;

#[cfg(target_os = "linux")]
const _: () = {
    use crate::shm::{CAPACITY, DEFAULT_CAPACITY};
    assert!(*RING.start() == *CAPACITY.start() && *RING.end() == *CAPACITY.end());
    assert!(DEFAULT_RING == DEFAULT_CAPACITY);
    assert!(DEFAULT_ARENA == crate::arena::Arena::DEFAULT_BYTES as u64);
};

/// Links by shared memory, with peers of this machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ShmSettings {
    /// Whether there are any.
    pub links: Setting<ShmLinks>,
    /// The bytes of a ring, a direction each; those of the node that connects count.
    pub ring: Setting<u64>,
    /// The bytes of the arena, in which peers read large payloads where they lie; 0 for none.
    pub arena: Setting<u64>,
    /// How long it looks for the next frame before it sleeps.
    pub spin: Setting<Duration>,
    /// The thread that the node has for itself, and that polls without a pause.
    pub spin_thread: Option<Setting<SpinThread>>,
}

/// The thread of a node that never sleeps, in `node.shm.spin_thread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpinThread {
    /// The kernel may move it between cores.
    Any,
    /// It stays on this core, by its number from 0.
    Core(usize),
}

impl fmt::Display for SpinThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Core(core) => write!(f, "core {core}"),
        }
    }
}

impl Value for SpinThread {
    const EXPECTED: &'static str = "\"any\", or a core, such as \"core 3\"";

    fn read(text: &str) -> Result<Self, Option<String>> {
        if text == "any" {
            return Ok(Self::Any);
        }
        let number = text.strip_prefix("core ").ok_or(None)?;
        number.parse().map(Self::Core).map_err(|_| None)
    }
}

/// Whether a node has links by shared memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShmLinks {
    /// Where the system and the peer have them.
    #[default]
    Auto,
    /// Not at all.
    Off,
}

impl fmt::Display for ShmLinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Off => "off",
        })
    }
}

impl Default for ShmSettings {
    fn default() -> Self {
        Self {
            links: Setting::default(ShmLinks::Auto),
            ring: Setting::default(DEFAULT_RING),
            arena: Setting::default(DEFAULT_ARENA),
            spin: Setting::default(Duration::ZERO),
            spin_thread: None,
        }
    }
}

/// The bytes of a ring.
struct Ring(u64);

impl Value for Ring {
    const EXPECTED: &'static str = "a size from \"4 KiB\" to \"1 GiB\"";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let size: ByteSize = text.parse().map_err(|_| None)?;
        if RING.contains(&size.as_u64()) { Ok(Self(size.as_u64())) } else { Err(None) }
    }
}

/// The bytes of an arena.
struct Arena(u64);

impl Value for Arena {
    const EXPECTED: &'static str = "a size up to \"64 GiB\", or \"0 B\" for no arena";

    fn read(text: &str) -> Result<Self, Option<String>> {
        let size: ByteSize = text.parse().map_err(|_| None)?;
        if ARENA.contains(&size.as_u64()) { Ok(Self(size.as_u64())) } else { Err(None) }
    }
}

/// Reads `[node.shm]`.
pub(super) fn read(reader: &mut Reader<'_>, section: &mut Section<'_, '_>) -> ShmSettings {
    let mut shm = ShmSettings::default();
    if let Some(links) = section.setting(reader, "links") {
        shm.links = links;
    }
    if let Some(ring) = section.setting::<Ring>(reader, "ring") {
        shm.ring = ring.map(|ring| ring.0);
    }
    if let Some(arena) = section.setting::<Arena>(reader, "arena") {
        shm.arena = arena.map(|arena| arena.0);
    }
    if let Some(spin) = section.setting(reader, "spin") {
        shm.spin = spin;
    }
    shm.spin_thread = section.setting(reader, "spin_thread");
    shm
}
