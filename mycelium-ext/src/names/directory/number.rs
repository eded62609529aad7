//! Fencing numbers.

use std::fmt;

/// The greatest term that a peer may tell. Terms of clocks reach it in 73 million years.
pub(crate) const MAX_TERM: u64 = 1 << 61;

/// A number that grows with each holder of a name.
///
/// It has two parts: a term, and a tie that is random for each start of a node. The term is the
/// time of the claim in milliseconds since 1970, or one more than the greatest term that the node
/// knows, if that is more. So two holders never have the same number, also on two sides of a
/// partition, and numbers do not fall when all nodes start anew, as far as their clocks agree.
///
/// ```
/// use mycelium_ext::names::FencingNumber;
///
/// let (older, newer) = (FencingNumber::new(7, 9), FencingNumber::new(8, 1));
/// assert!(older < newer && older.to_bytes() < newer.to_bytes());
/// assert_eq!(FencingNumber::from_bytes(newer.to_bytes()), newer);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingNumber {
    term: u64,
    tie: u64,
}

impl FencingNumber {
    /// From its parts, for resources that keep them apart, and for tests.
    #[must_use]
    pub const fn new(term: u64, tie: u64) -> Self {
        Self { term, tie }
    }

    /// The part that grows.
    #[must_use]
    pub const fn term(self) -> u64 {
        self.term
    }

    /// The part that two nodes do not share.
    #[must_use]
    pub const fn tie(self) -> u64 {
        self.tie
    }

    /// Its bytes. They are in the order of the numbers.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        (((self.term as u128) << 64) | self.tie as u128).to_be_bytes()
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_be_bytes(bytes);
        Self { term: (whole >> 64) as u64, tie: whole as u64 }
    }
}

impl fmt::Display for FencingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.term, self.tie)
    }
}
