//! Values as bytes, for messages between nodes.
//!
//! Numbers of 8 to 128 bits, `bool`, `char`, `String` and `bytes::Bytes`, which is not copied, have
//! an implementation, and `Duration`. So have vectors, arrays, `Option`s, `Result`s and tuples of
//! types that have one. `isize` and `usize` have none, since they are not of one size on all
//! machines. An actor's reference arrives as one
//! ([`remoting`](crate::remoting#actors-as-fields)). With the feature `blanket_serde` every type
//! that serde can write and read has one instead.

use bytes::Bytes;

#[cfg(not(feature = "blanket_serde"))]
use crate::remoting::LARGE;
use crate::remoting::{Encoder, Part};

#[cfg(not(feature = "blanket_serde"))]
#[path = "serialization/nested.rs"]
mod nested;
#[cfg(feature = "blanket_serde")]
#[path = "serialization/serde.rs"]
mod serde_types;
#[cfg(not(feature = "blanket_serde"))]
#[path = "serialization/single.rs"]
mod single;
#[cfg(not(feature = "blanket_serde"))]
#[path = "serialization/vectors.rs"]
mod vectors;
#[cfg(not(feature = "blanket_serde"))]
#[doc(hidden)]
pub use vectors::Vectors;

/// A type that a message's fields and answers to calls may be of when they go to other nodes.
///
/// Structs and enums of such types derive it (`ractor_cluster::BytesConvertable`). By hand two
/// functions are all it takes. The others spare copies, and have to agree with these in every byte.
///
/// ```
/// use ractor::remoting::{Encoder, Part};
/// use ractor::BytesConvertable;
///
/// #[derive(Debug, PartialEq)]
/// struct Price {
///     whole: u32,
///     cents: u8,
/// }
///
/// impl BytesConvertable for Price {
///     fn into_bytes(self) -> Vec<u8> {
///         let mut bytes = self.whole.to_be_bytes().to_vec();
///         bytes.push(self.cents);
///         bytes
///     }
///
///     fn from_bytes(bytes: Vec<u8>) -> Self {
///         let (whole, cents) = bytes.split_first_chunk().unwrap();
///         Self { whole: u32::from_be_bytes(*whole), cents: cents[0] }
///     }
///
///     // From here on it is a matter of speed.
///     fn bytes_len(&self) -> Option<usize> {
///         Some(5)
///     }
///
///     fn into_encoder(self, encoder: &mut Encoder) {
///         self.to_encoder(encoder);
///     }
///
///     // No message with a price needs a copy of it when it is sent to many.
///     fn to_encoder(&self, encoder: &mut Encoder) -> bool {
///         encoder.put_slice(&self.whole.to_be_bytes());
///         encoder.put_slice(&[self.cents]);
///         true
///     }
/// }
///
/// let mut encoder = Encoder::new();
/// Price { whole: 101, cents: 50 }.into_encoder(&mut encoder);
/// let bytes = encoder.finish().into_bytes();
/// assert_eq!(Price::from_part(Part::all(&bytes)), Price { whole: 101, cents: 50 });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no form as bytes, so it cannot go to other nodes",
    label = "a field of a message to other nodes, or the answer to a call",
    note = "a type of your own: `#[derive(ractor_cluster::BytesConvertable)]` on it, or the two \
            functions of `ractor::BytesConvertable`",
    note = "a type with serde's derives: the feature `blanket_serde` of `ractor`, for all messages \
            of the application",
    note = "plain-old-data that is large: `mycelium_ext::placed::Placed<T>`, which is read where it \
            lies"
)]
pub trait BytesConvertable {
    /// The value as bytes.
    ///
    /// # Panics
    /// It may; the sender's send then panics.
    fn into_bytes(self) -> Vec<u8>;

    /// The value out of its bytes.
    ///
    /// # Panics
    /// It may, with bytes that are not of the type. The message is then dropped and counted, and
    /// the actor goes on.
    fn from_bytes(bytes: Vec<u8>) -> Self;

    /// The length of the value as bytes, where that is cheap to compute: a hint that lets the
    /// encoder reserve memory once.
    fn bytes_len(&self) -> Option<usize> {
        None
    }

    /// Writes the value's bytes behind what is there.
    ///
    /// # Panics
    /// As [`into_bytes`](Self::into_bytes).
    fn into_encoder(self, encoder: &mut Encoder)
    where
        Self: Sized,
    {
        encoder.put_vec(self.into_bytes());
    }

    /// Writes the value's bytes behind what is there, from a reference: the message is shared, and
    /// its sender keeps it. Returns whether the type can do that; by default it cannot, and a copy
    /// of the value, if there is one to be had, goes to [`into_encoder`](Self::into_encoder).
    ///
    /// The bytes have to be the same. A call that returns false may have written some of them: the
    /// encoder of a message takes these back ([`Encoder::field_ref`]).
    ///
    /// # Panics
    /// As [`into_bytes`](Self::into_bytes); the message is then reported as not serialisable.
    #[allow(unused_variables)]
    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        false
    }

    /// The value out of its bytes, where they lie among others.
    ///
    /// # Panics
    /// As [`from_bytes`](Self::from_bytes).
    fn from_part(part: Part<'_>) -> Self
    where
        Self: Sized,
    {
        Self::from_bytes(part.to_vec())
    }

    /// The value out of its bytes, which nothing follows. They may be the only ones of their
    /// memory, which a value that is bytes can then take.
    ///
    /// # Panics
    /// As [`from_bytes`](Self::from_bytes).
    fn from_owned(bytes: Bytes) -> Self
    where
        Self: Sized,
    {
        Self::from_part(Part::all(&bytes))
    }

    /// The value out of its bytes, which lie in memory of their sender: a process of this machine
    /// that could still change them. A value that is nothing but bytes may keep them where they
    /// lie; the memory is given back when the last reference is dropped. All others are made of a
    /// copy, as by default: what is checked must not change behind the check.
    ///
    /// # Panics
    /// As [`from_bytes`](Self::from_bytes).
    fn from_lent(bytes: Bytes) -> Self
    where
        Self: Sized,
    {
        Self::from_owned(Bytes::from(bytes.to_vec()))
    }

    /// The value out of its bytes: `front`, and then `lent`, which are as in
    /// [`from_lent`](Self::from_lent). By default a value of both is made of a copy.
    ///
    /// # Panics
    /// As [`from_bytes`](Self::from_bytes).
    fn from_split(front: Bytes, lent: Bytes) -> Self
    where
        Self: Sized,
    {
        if front.is_empty() {
            return Self::from_lent(lent);
        }
        Self::from_owned(crate::remoting::joined(front, &lent))
    }

    /// How vectors of the type are written: one value after the other.
    #[cfg(not(feature = "blanket_serde"))]
    #[doc(hidden)]
    fn vectors() -> Vectors<Self>
    where
        Self: Sized,
    {
        Vectors::of_fields()
    }
}

/// How much room bytes of such a length need where they are written to: none for what is moved.
#[cfg(not(feature = "blanket_serde"))]
fn copied(length: usize) -> Option<usize> {
    (length < LARGE).then_some(length)
}

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/serialization.rs"));
