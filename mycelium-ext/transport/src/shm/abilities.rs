//! What an end of a link can do beyond the first version of the protocol: a word of each end, in
//! the memory that both share. An end of an older build leaves its word 0.
//!
//! * **Regions.** Whether it takes [regions](super::regions). The end says so before it offers or
//!   answers, and it stays so.
//! * **Reading.** The word on arenas in an offer says that the maker reads payloads where they lie.
//!   But the maker gets the taker's arena with the answer, and the system may then have no room to
//!   map it. So a bit says that the maker does not read yet. The maker clears it when the taker's
//!   arena is mapped, and the taker copies payloads until then: for good where there is no room.
//!   The taker maps before it answers, and its answer says whether it reads.

use std::sync::atomic::Ordering;

use super::memory::Memory;
use super::ring::{Side, abilities};

/// It takes regions.
const TAKES_REGIONS: u64 = 1;
/// It reads no payloads where they lie as yet.
const READS_LATER: u64 = 2;

/// The end `side` says what it can do, before it offers or answers.
pub(super) fn declare(memory: &Memory, side: Side, takes_regions: bool) {
    let regions = if takes_regions { TAKES_REGIONS } else { 0 };
    let reading = if matches!(side, Side::Maker) { READS_LATER } else { 0 };
    memory.word(abilities(side)).store(regions | reading, Ordering::Relaxed);
}

/// The end `side` reads payloads where they lie from here on.
pub(super) fn begin_to_read(memory: &Memory, side: Side) {
    memory.word(abilities(side)).fetch_and(!READS_LATER, Ordering::Relaxed);
}

/// Whether the end `side` takes regions.
pub(super) fn takes_regions(memory: &Memory, side: Side) -> bool {
    memory.word(abilities(side)).load(Ordering::Relaxed) & TAKES_REGIONS != 0
}

/// Whether the end `side`, which has said that it reads payloads where they lie, does so by now.
pub(super) fn reads(memory: &Memory, side: Side) -> bool {
    memory.word(abilities(side)).load(Ordering::Relaxed) & READS_LATER == 0
}
