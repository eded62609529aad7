//! Bound on the frames that a peer takes, and which messages exceed it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mycelium_link::codec::{MAX_TARGETS, TARGET};
use ractor::errors::UndeliveredReason;
use ractor::remoting::MAX_COPIES;

use crate::node::DEFAULT_MAX_INBOUND_FRAME_SIZE;
use crate::NodeId;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct FrameBound {
    /// The bytes of the largest frame that the peer takes.
    max: AtomicU64,
    /// Whether the log has told that the peer takes no larger ones.
    told: AtomicBool,
}

impl Default for FrameBound {
    fn default() -> Self {
        Self { max: AtomicU64::new(DEFAULT_MAX_INBOUND_FRAME_SIZE), told: AtomicBool::new(false) }
    }
}

impl FrameBound {
    /// The peer takes frames of up to so many bytes.
    pub(super) fn set(&self, bytes: u64) {
        self.max.store(bytes, Ordering::Relaxed);
    }

    /// The bytes of the largest frame that the peer takes.
    pub(super) fn get(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Why a message to the peer `node_id` is to go back to its sender that needs a frame of `size`
    /// bytes, if it is.
    #[inline]
    pub(super) fn too_large(&self, size: usize, node_id: NodeId) -> Option<UndeliveredReason> {
        let (size, bound) = (size as u64, self.get());
        (size > bound).then(|| self.refuse(size, bound, node_id))
    }

    /// The same of a message to several actors of the peer. `size` is that of its frame without
    /// them.
    pub(super) fn too_large_for_all(
        &self,
        size: usize,
        actors: usize,
        node_id: NodeId,
    ) -> Option<UndeliveredReason> {
        // The list goes in several frames, unless they would carry the same message again and
        // again.
        let is_list = size as u64 <= self.get() / 2;
        self.too_large(size + TARGET * if is_list { 1 } else { actors }, node_id)
    }

    #[cold]
    fn refuse(&self, size: u64, bound: u64, node_id: NodeId) -> UndeliveredReason {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                node_id,
                size,
                bound,
                "a message is larger than the peer takes, and goes back to its sender, as all further ones do; \
                 `NodeServer::with_max_inbound_frame_size` raises the bound there"
            );
        }
        UndeliveredReason::TooLarge { size, bound }
    }

    /// How many actors a frame may go to that is of `size` bytes without them; at least one.
    /// Neither the peer's bound on frames, nor that on lists, nor that on the copies of one message
    /// is exceeded.
    pub(super) fn most_targets(&self, size: usize) -> usize {
        let room = self.get().saturating_sub(size as u64) / TARGET as u64;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        room.min(MAX_COPIES / size.max(1)).clamp(1, MAX_TARGETS)
    }
}
