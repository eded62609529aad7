//! What both halves of a link hold.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::answer_hint::AnswerHint;

use super::memory::Memory;
use super::positions::Corrupt;
use super::wakeup::Wakeup;

/// One end of a link. It is gone for the peer when both halves have dropped it: nothing of it has a
/// name.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) memory: Arc<Memory>,
    pub(super) wires: Wakeup,
    pub(super) expectation: AnswerHint,
    pub(super) spin: Duration,
    pub(super) sleepless: bool,
}

/// As the error that ends the link.
pub(super) fn corrupt(Corrupt: Corrupt) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the peer wrote a position into the shared memory that cannot be",
    )
}
