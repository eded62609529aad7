//! The guard of a resource that a singleton uses.

use std::fmt;

use parking_lot::Mutex;

use crate::names::FencingNumber;

/// Refuses those whose number is lower than one that was seen before. A resource has one, and asks
/// it before it does what a message with a number demands.
///
/// ```
/// use mycelium_ext::names::FencingNumber;
/// use mycelium_ext::singleton::Fence;
///
/// let fence = Fence::new();
/// let (older, newer) = (FencingNumber::new(1, 7), FencingNumber::new(2, 3));
/// assert!(fence.admit(older).is_ok());
/// assert!(fence.admit(newer).is_ok());
/// // The older one does not know yet that there is a newer one.
/// assert_eq!(fence.admit(older).unwrap_err().newest, newer);
/// ```
#[derive(Debug, Default)]
pub struct Fence(Mutex<Option<FencingNumber>>);

/// A number that is lower than one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outdated {
    /// The number that was refused.
    pub number: FencingNumber,
    /// The highest number that was seen.
    pub newest: FencingNumber,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, newest } = self;
        write!(f, "the holder with number {number} is not the last one: number {newest} was seen")
    }
}

impl std::error::Error for Outdated {}

impl Fence {
    /// A fence that has seen no number.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// A fence that has seen this number. A resource that keeps its data keeps the number too.
    #[must_use]
    pub const fn after(number: FencingNumber) -> Self {
        Self(Mutex::new(Some(number)))
    }

    /// The highest number that was seen.
    #[must_use]
    pub fn newest(&self) -> Option<FencingNumber> {
        *self.0.lock()
    }

    /// Lets in a number that is not lower than all that were seen.
    ///
    /// # Errors
    /// [`Outdated`], when a higher one was seen.
    pub fn admit(&self, number: FencingNumber) -> Result<(), Outdated> {
        let mut newest = self.0.lock();
        match *newest {
            Some(newest) if newest > number => Err(Outdated { number, newest }),
            _ => {
                *newest = Some(number);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_let_in_until_a_higher_one_was_seen() {
        let [one, two, three] = [(1, 9), (2, 1), (2, 2)].map(|(a, b)| FencingNumber::new(a, b));
        let fence = Fence::new();
        assert_eq!(fence.newest(), None);
        for number in [one, one, two, two, three] {
            assert_eq!(fence.admit(number), Ok(()));
        }
        for number in [one, two] {
            assert_eq!(fence.admit(number), Err(Outdated { number, newest: three }));
        }
        assert_eq!((fence.newest(), fence.admit(three)), (Some(three), Ok(())));
        assert!(Fence::after(two).admit(one).is_err());
    }
}
