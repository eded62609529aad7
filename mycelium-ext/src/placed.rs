//! Plain-old-data that is read where it lies.
//!
//! A [`Placed`] value is bytes that are laid out as a Rust type: a field of a message that is
//! neither encoded nor decoded. In another process of the machine it points into the sender's
//! memory, where it is large and stands last in its message: see [`arena`](crate::arena). From
//! other machines it is read in the bytes that came, or is copied once where these are not aligned.
//!
//! The type says that all bytes of it are values, by the traits of the crate `zerocopy`. Its layout
//! must be the same in all processes, which `#[repr(C)]` and numbers of a fixed size see to, on
//! machines of one byte order; `zerocopy` has numbers of a fixed order too.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use bytes::{Bytes, BytesMut};
use ractor::BytesConvertable;
use ractor::remoting::{Encoder, LARGE, Part};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A value, or a slice of values, in memory that many may read.
///
/// ```
/// use mycelium_ext::placed::Placed;
/// use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
///
/// #[derive(Debug, PartialEq, FromBytes, Immutable, IntoBytes, KnownLayout)]
/// #[repr(C)]
/// struct Level {
///     price: u64,
///     size: u64,
/// }
///
/// let levels = [Level { price: 101, size: 5 }, Level { price: 102, size: 9 }];
/// let book: Placed<[Level]> = Placed::new(&levels);
/// assert_eq!(book[1].size, 9);
/// // As a message's last field it goes to other processes as it is.
/// let again: Placed<[Level]> = Placed::try_from(book.clone().into_bytes()).unwrap();
/// assert_eq!(*again, *book);
/// ```
///
/// Clones share the memory.
pub struct Placed<T: ?Sized> {
    bytes: Bytes,
    of: PhantomData<fn() -> Box<T>>,
}

/// Bytes are no value of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPlaced {
    /// How many bytes there are.
    pub bytes: usize,
    /// The type, by its name.
    pub of: &'static str,
}

impl fmt::Display for NotPlaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, of } = self;
        write!(f, "{bytes} bytes are no {of}: its sender has another layout of the type")
    }
}

impl std::error::Error for NotPlaced {}

impl<T: FromBytes + Immutable + KnownLayout + ?Sized> Placed<T> {
    /// A copy of a value, in the arena of this process if that has room.
    pub fn new(value: &T) -> Self
    where
        T: IntoBytes,
    {
        let bytes = value.as_bytes();
        #[cfg(target_os = "linux")]
        if let Some(copy) = crate::arena::Arena::get().and_then(|arena| arena.copy(bytes).ok()) {
            return Self { bytes: copy, of: PhantomData };
        }
        Self { bytes: aligned(bytes, align_of_val(value)), of: PhantomData }
    }

    /// The bytes, to be sent or kept.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    fn of_bytes(bytes: Bytes) -> Result<Self, NotPlaced> {
        if T::ref_from_bytes(&bytes).is_ok() {
            return Ok(Self { bytes, of: PhantomData });
        }
        // A line of the processor's cache, and what no type needs more than.
        let copy = aligned(&bytes, ALIGNMENT);
        match T::ref_from_bytes(&copy) {
            Ok(_) => Ok(Self { bytes: copy, of: PhantomData }),
            Err(_) => Err(NotPlaced { bytes: bytes.len(), of: std::any::type_name::<T>() }),
        }
    }
}

/// The alignment of copies, in bytes: a type that needs more is never read.
const ALIGNMENT: usize = 128;

/// A copy of bytes that begins at a multiple of `alignment`.
fn aligned(bytes: &[u8], alignment: usize) -> Bytes {
    let mut memory = BytesMut::zeroed(bytes.len() + alignment - 1);
    let at = memory.as_ptr().addr().wrapping_neg() % alignment;
    memory[at..at + bytes.len()].copy_from_slice(bytes);
    memory.freeze().slice(at..at + bytes.len())
}

impl<T: FromBytes + Immutable + KnownLayout + ?Sized> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // `Bytes` does not move its memory.
        T::ref_from_bytes(&self.bytes).expect("it was looked at when it was made")
    }
}

/// Bytes that came from elsewhere; a copy where they are not aligned.
impl<T: FromBytes + Immutable + KnownLayout + ?Sized> TryFrom<Bytes> for Placed<T> {
    type Error = NotPlaced;

    fn try_from(bytes: Bytes) -> Result<Self, NotPlaced> {
        Self::of_bytes(bytes)
    }
}

impl<T: ?Sized> Clone for Placed<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), of: PhantomData }
    }
}

// How much, and not what: payloads do not belong into logs.
impl<T: ?Sized> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Placed({} bytes)", self.bytes.len())
    }
}

/// # Panics
/// Reading does, when the bytes are no value of the type.
impl<T: FromBytes + Immutable + KnownLayout + ?Sized> BytesConvertable for Placed<T> {
    fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::from_lent(bytes.into())
    }

    fn bytes_len(&self) -> Option<usize> {
        (self.bytes.len() < LARGE).then_some(self.bytes.len())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_bytes(self.bytes);
    }

    fn from_part(part: Part<'_>) -> Self {
        Self::from_lent(part.to_bytes())
    }

    fn from_owned(bytes: Bytes) -> Self {
        // A small part would keep the whole in memory. Not by what `Bytes` does as a field, which
        // `blanket_serde` takes away.
        let is_small = bytes.len() < LARGE;
        Self::from_lent(if is_small { Bytes::copy_from_slice(&bytes) } else { bytes })
    }

    fn from_lent(bytes: Bytes) -> Self {
        Self::of_bytes(bytes).unwrap_or_else(|error| panic!("{error}"))
    }
}

#[cfg(test)]
#[path = "placed/tests.rs"]
mod tests;
