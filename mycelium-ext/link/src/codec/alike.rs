//! Heads that differ from another one in nothing but their number, as those of a stream do.

use super::MARK;
use super::read::Cursor;

/// Where the number of a frame begins: behind the mark, the kind and the lane.
const NUMBER: usize = 3;
/// The bytes behind the number that are compared at once.
const COMPARED: usize = 16;

/// The head of a frame, but for its number. To compare a frame with it takes a fraction of what it
/// takes to read its head.
#[derive(Debug, Clone, Copy)]
pub struct Alike {
    begin: [u8; NUMBER],
    /// What stands between the number and the arguments, of so many bytes.
    rest: u128,
    bytes: usize,
}

impl Alike {
    /// Of a frame of messages whose arguments begin at `end`. `None` where its head is too long.
    pub fn new(frame: &[u8], end: usize) -> Option<Self> {
        let begin = *frame.first_chunk()?;
        let mut cursor = Cursor { bytes: frame, at: NUMBER };
        cursor.number().ok()?;
        let rest = frame.get(cursor.at..end).filter(|it| it.len() <= COMPARED)?;
        if begin[0] != MARK {
            return None;
        }
        let mut padded = [0; COMPARED];
        padded[..rest.len()].copy_from_slice(rest);
        Some(Self { begin, rest: u128::from_le_bytes(padded), bytes: rest.len() })
    }

    /// The number of `frame`, and where its arguments begin, if its head is the same apart from the
    /// number. `None` says nothing of a frame with less than 16 bytes behind the number.
    #[inline(always)]
    pub fn number(&self, frame: &[u8]) -> Option<(u64, usize)> {
        if *frame.first_chunk::<NUMBER>()? != self.begin {
            return None;
        }
        let mut cursor = Cursor { bytes: frame, at: NUMBER };
        let number = cursor.number().ok()?;
        let behind = u128::from_le_bytes(*frame.get(cursor.at..)?.first_chunk()?);
        let unused = 8 * (COMPARED - self.bytes) as u32;
        // All bits go where nothing is compared.
        let differs = (behind ^ self.rest).checked_shl(unused).unwrap_or(0);
        (differs == 0).then_some((number, cursor.at + self.bytes))
    }
}
