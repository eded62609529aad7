//! Inputs of several pieces, each after its length in two bytes, big endian.

/// The input with these pieces. What does not fit is cut, as any input may be.
#[must_use]
pub fn join(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut input = Vec::new();
    for piece in pieces {
        let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        input.extend(length.to_be_bytes());
        input.extend(&piece[..usize::from(length)]);
    }
    input
}

/// The pieces of any input; the last may be shorter than it says.
pub(crate) fn split(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, behind) = input.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let piece;
        (piece, input) = behind.split_at(length);
        Some(piece)
    })
}
