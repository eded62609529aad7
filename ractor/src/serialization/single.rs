//! Single values as bytes.

use std::time::Duration;

use bytes::Bytes;

use super::vectors::{self, Vectors};
use crate::remoting::{Encoder, Part, LARGE};
use crate::BytesConvertable;

/// Numbers, big endian. What is longer than the number is read as far as the number goes.
macro_rules! number {
    ($vectors:ident: $($of:ty)*) => {$(
        impl BytesConvertable for $of {
            fn into_bytes(self) -> Vec<u8> {
                self.to_be_bytes().to_vec()
            }

            fn from_bytes(bytes: Vec<u8>) -> Self {
                Self::read(&bytes)
            }

            #[inline]
            fn bytes_len(&self) -> Option<usize> {
                Some(size_of::<Self>())
            }

            #[inline]
            fn into_encoder(self, encoder: &mut Encoder) {
                encoder.put_slice(&self.to_be_bytes());
            }

            #[inline]
            fn to_encoder(&self, encoder: &mut Encoder) -> bool {
                self.into_encoder(encoder);
                true
            }

            #[inline]
            fn from_part(part: Part<'_>) -> Self {
                Self::read(&part)
            }

            #[inline]
            fn vectors() -> Vectors<Self> {
                vectors::$vectors()
            }
        }

        impl Read for $of {
            #[inline]
            fn read(bytes: &[u8]) -> Self {
                match bytes.first_chunk() {
                    Some(number) => Self::from_be_bytes(*number),
                    None => too_short(size_of::<Self>(), bytes.len()),
                }
            }
        }
    )*};
}

/// Out of bytes, wherever they lie.
trait Read {
    fn read(bytes: &[u8]) -> Self;
}

#[cold]
fn too_short(wanted: usize, there: usize) -> ! {
    panic!("a value of {wanted} bytes cannot be read out of {there}")
}

number! { numbers: i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 }
number! { bytes: u8 }

/// Nothing to write, and nothing to read.
impl BytesConvertable for () {
    fn bytes_len(&self) -> Option<usize> {
        Some(0)
    }

    fn into_bytes(self) -> Vec<u8> {
        Vec::default()
    }

    fn into_encoder(self, _: &mut Encoder) {}

    fn to_encoder(&self, _: &mut Encoder) -> bool {
        true
    }

    fn from_bytes(_: Vec<u8>) -> Self {}

    fn from_part(_: Part<'_>) -> Self {}
}

impl Read for bool {
    fn read(bytes: &[u8]) -> Self {
        u8::read(bytes) == 1
    }
}

impl BytesConvertable for bool {
    fn into_bytes(self) -> Vec<u8> {
        vec![self.into()]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::read(&bytes)
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(1)
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_slice(&[self.into()]);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        self.into_encoder(encoder);
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        Self::read(&part)
    }

    fn vectors() -> Vectors<Self> {
        vectors::bools()
    }
}

/// As its number.
impl Read for char {
    fn read(bytes: &[u8]) -> Self {
        Self::from_u32(u32::read(bytes)).expect("the bytes of a character")
    }
}

impl BytesConvertable for char {
    fn into_bytes(self) -> Vec<u8> {
        u32::from(self).into_bytes()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::read(&bytes)
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(size_of::<u32>())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        u32::from(self).into_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        self.into_encoder(encoder);
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        Self::read(&part)
    }

    fn vectors() -> Vectors<Self> {
        vectors::characters()
    }
}

/// Whole seconds in eight bytes, and nanoseconds in four.
impl Read for Duration {
    fn read(bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), size_of::<u64>() + size_of::<u32>(), "the bytes of a duration");
        let (seconds, nanoseconds) = bytes.split_at(size_of::<u64>());
        let nanoseconds = u32::read(nanoseconds);
        assert!(nanoseconds < 1_000_000_000, "less than a second of nanoseconds");
        Self::new(u64::read(seconds), nanoseconds)
    }
}

impl BytesConvertable for Duration {
    fn into_bytes(self) -> Vec<u8> {
        [&self.as_secs().to_be_bytes()[..], &self.subsec_nanos().to_be_bytes()].concat()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::read(&bytes)
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(size_of::<u64>() + size_of::<u32>())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        self.to_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_slice(&self.as_secs().to_be_bytes());
        encoder.put_slice(&self.subsec_nanos().to_be_bytes());
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        Self::read(&part)
    }
}

impl BytesConvertable for String {
    fn into_bytes(self) -> Vec<u8> {
        String::into_bytes(self)
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).expect("the bytes of a text")
    }

    fn bytes_len(&self) -> Option<usize> {
        super::copied(self.len())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        String::into_bytes(self).into_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_copy(self.as_bytes());
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        std::str::from_utf8(part.as_slice()).expect("the bytes of a text").to_owned()
    }

    fn from_owned(bytes: Bytes) -> Self {
        Self::from_bytes(Vec::from_owned(bytes))
    }
}

/// Not copied when it is large ([`LARGE`](crate::remoting::LARGE)): on its way out it is moved to
/// where the frame is written, or counted there if the message is shared, as long as it is the
/// message's last field; on its way in it shares the frame's memory.
impl BytesConvertable for Bytes {
    fn into_bytes(self) -> Vec<u8> {
        self.into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        bytes.into()
    }

    fn bytes_len(&self) -> Option<usize> {
        super::copied(self.len())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_bytes(self);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        if self.len() < LARGE {
            encoder.put_slice(self);
        } else {
            encoder.put_bytes(self.clone());
        }
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        part.to_bytes()
    }

    fn from_owned(bytes: Self) -> Self {
        if bytes.len() < LARGE {
            // A small part would keep the whole in memory.
            return Self::copy_from_slice(&bytes);
        }
        bytes
    }

    fn from_lent(bytes: Self) -> Self {
        bytes
    }
}
