//! Vectors as bytes: one value after the other.

use bytes::Bytes;

use crate::remoting::{Encoder, Part, LARGE};
use crate::BytesConvertable;

/// Vectors of numbers. The loops are over chunks of the number's size, which the compiler makes out
/// as shuffles of whole registers. What is left at the end is no number, and ignored.
macro_rules! numbers {
    ($($of:ty)*) => {$(
        impl BytesConvertable for Vec<$of> {
            fn into_bytes(self) -> Vec<u8> {
                let mut bytes = vec![0; size_of_val(&self[..])];
                <$of as Numbers>::write(&self, &mut bytes);
                bytes
            }

            fn from_bytes(bytes: Vec<u8>) -> Self {
                Numbers::read(&bytes)
            }

            fn bytes_len(&self) -> Option<usize> {
                Some(size_of_val(&self[..]))
            }

            fn into_encoder(self, encoder: &mut Encoder) {
                self.to_encoder(encoder);
            }

            fn to_encoder(&self, encoder: &mut Encoder) -> bool {
                <$of as Numbers>::write(self, encoder.put_zeros(size_of_val(&self[..])));
                true
            }

            fn from_part(part: Part<'_>) -> Self {
                Numbers::read(&part)
            }
        }

        impl Numbers for $of {
            fn write(numbers: &[Self], bytes: &mut [u8]) {
                for (chunk, number) in bytes.chunks_exact_mut(size_of::<Self>()).zip(numbers) {
                    chunk.copy_from_slice(&number.to_be_bytes());
                }
            }

            fn read(bytes: &[u8]) -> Vec<Self> {
                let chunks = bytes.chunks_exact(size_of::<Self>());
                let number = |it: &[u8]| Self::from_be_bytes(it.try_into().expect("of its size"));
                chunks.map(number).collect()
            }
        }
    )*};
}

trait Numbers: Sized {
    fn write(numbers: &[Self], bytes: &mut [u8]);
    fn read(bytes: &[u8]) -> Vec<Self>;
}

// Not of `u8`, whose vectors are bytes already.
numbers! { i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 }

/// Moved when it is large, and not copied, unless the message is shared.
impl BytesConvertable for Vec<u8> {
    fn into_bytes(self) -> Vec<u8> {
        self
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        bytes
    }

    fn bytes_len(&self) -> Option<usize> {
        super::copied(self.len())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_vec(self);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_copy(self);
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        part.to_vec()
    }

    fn from_owned(bytes: Bytes) -> Self {
        if bytes.len() < LARGE {
            return bytes.to_vec();
        }
        match bytes.try_into_mut() {
            // Where they are nearly all of their memory, that is the vector's from here on.
            Ok(bytes) if bytes.capacity() - bytes.len() <= bytes.len() / 4 => bytes.into(),
            Ok(bytes) => bytes.to_vec(),
            Err(bytes) => bytes.to_vec(),
        }
    }
}

impl BytesConvertable for Vec<bool> {
    fn into_bytes(self) -> Vec<u8> {
        self.into_iter().map(u8::from).collect()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        bytes.into_iter().map(|it| it == 1).collect()
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(self.len())
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        self.to_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        let bytes = encoder.put_zeros(self.len());
        for (byte, it) in bytes.iter_mut().zip(self) {
            *byte = (*it).into();
        }
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        part.iter().map(|it| *it == 1).collect()
    }
}

/// As the vector of their numbers.
impl BytesConvertable for Vec<char> {
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; size_of_val(&self[..])];
        write_codes(&self, &mut bytes);
        bytes
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        characters(Numbers::read(&bytes))
    }

    fn bytes_len(&self) -> Option<usize> {
        Some(size_of_val(&self[..]))
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        self.to_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        write_codes(self, encoder.put_zeros(size_of_val(&self[..])));
        true
    }

    fn from_part(part: Part<'_>) -> Self {
        characters(Numbers::read(&part))
    }
}

fn write_codes(characters: &[char], bytes: &mut [u8]) {
    for (chunk, it) in bytes.chunks_exact_mut(size_of::<u32>()).zip(characters) {
        chunk.copy_from_slice(&u32::from(*it).to_be_bytes());
    }
}

fn characters(codes: Vec<u32>) -> Vec<char> {
    let character = |code| char::from_u32(code).expect("the bytes of characters");
    codes.into_iter().map(character).collect()
}
