//! A frame that comes in parts.

use bytes::{Bytes, BytesMut};

use super::LaneError;

/// A part of a frame, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The number of the frame in its lane.
    pub sequence: u64,
    /// The bytes of the whole frame.
    pub total: u64,
    /// Where the part begins, in bytes of the frame.
    pub offset: u64,
    /// The part.
    pub bytes: Bytes,
}

/// The parts of a frame that have come so far, of one lane.
///
/// Holds the bytes that came, and never more than `most` of them: its memory grows with them, not
/// with what the first part promises.
#[derive(Debug, Default)]
pub struct Partial {
    frame: u64,
    total: usize,
    bytes: BytesMut,
}

impl Partial {
    /// Adds a part of the frame that is due, which may have up to `most` bytes. Returns the frame
    /// when this was its last part. A first part begins anew: the link that carried the others has
    /// broken.
    ///
    /// # Errors
    /// The part does not continue the one before it, or its frame may not be.
    pub fn add(&mut self, part: Part, most: usize) -> Result<Option<Bytes>, LaneError> {
        let Part { sequence: frame, total, offset, bytes } = part;
        if offset == 0 {
            let fits = usize::try_from(total).ok().filter(|total| (1..=most).contains(total));
            let total = fits.ok_or(LaneError::Parts { frame, total })?;
            *self = Self { frame, total, bytes: BytesMut::new() };
        }
        let have = self.bytes.len();
        let continues = frame == self.frame && total == self.total as u64 && offset == have as u64;
        // An empty part would come for ever.
        if !continues || bytes.is_empty() || bytes.len() > self.total - have {
            return Err(LaneError::Part { frame, have, offset });
        }
        if have == 0 && bytes.len() == self.total {
            *self = Self::default();
            return Ok(Some(bytes));
        }
        if self.bytes.capacity() - have < bytes.len() {
            // Twice as much as has come, so that what is promised and does not come costs nothing.
            let grown = (2 * (have + bytes.len())).min(self.total);
            self.bytes.reserve(grown - have);
        }
        self.bytes.extend_from_slice(&bytes);
        Ok((self.bytes.len() == self.total).then(|| std::mem::take(self).bytes.freeze()))
    }

    /// The bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of memory that these take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
