//! Vectors and arrays as bytes: one value after the other.
//!
//! Values of a fixed size stand side by side. All others stand as the fields of a message do, each
//! behind its length.

use std::cell::Cell;

use bytes::Bytes;

use crate::remoting::{Encoder, Fields, Part, LARGE};
use crate::BytesConvertable;

/// How deep vectors may stand in each other's values. A peer sends as deep ones as it likes, and
/// reading takes stack for each.
const DEPTH: usize = 64;

thread_local! {
    /// How deep the vector stands that is being read.
    static DEEP: Cell<usize> = const { Cell::new(0) };
}

/// How vectors of a type are written and read.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Vectors<T> {
    length: fn(&[T]) -> Option<usize>,
    write: fn(Vec<T>, &mut Encoder),
    write_ref: fn(&[T], &mut Encoder) -> bool,
    read: fn(Part<'_>) -> Vec<T>,
    into_bytes: fn(Vec<T>) -> Vec<u8>,
    from_bytes: fn(Vec<u8>) -> Vec<T>,
    from_owned: fn(Bytes) -> Vec<T>,
}

impl<T: BytesConvertable> BytesConvertable for Vec<T> {
    #[inline]
    fn into_bytes(self) -> Vec<u8> {
        (T::vectors().into_bytes)(self)
    }

    #[inline]
    fn from_bytes(bytes: Vec<u8>) -> Self {
        (T::vectors().from_bytes)(bytes)
    }

    #[inline]
    fn bytes_len(&self) -> Option<usize> {
        (T::vectors().length)(self)
    }

    #[inline]
    fn into_encoder(self, encoder: &mut Encoder) {
        (T::vectors().write)(self, encoder);
    }

    #[inline]
    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        (T::vectors().write_ref)(self, encoder)
    }

    #[inline]
    fn from_part(part: Part<'_>) -> Self {
        (T::vectors().read)(part)
    }

    #[inline]
    fn from_owned(bytes: Bytes) -> Self {
        (T::vectors().from_owned)(bytes)
    }
}

/// As the vector of its values, which are so many.
impl<T: BytesConvertable, const N: usize> BytesConvertable for [T; N] {
    fn into_bytes(self) -> Vec<u8> {
        Vec::from(self).into_bytes()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::of(Vec::from_bytes(bytes))
    }

    fn bytes_len(&self) -> Option<usize> {
        (T::vectors().length)(self)
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        Vec::from(self).into_encoder(encoder);
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        (T::vectors().write_ref)(self, encoder)
    }

    fn from_part(part: Part<'_>) -> Self {
        Self::of(Vec::from_part(part))
    }
}

/// Out of a vector.
trait Of<T> {
    fn of(values: Vec<T>) -> Self;
}

impl<T, const N: usize> Of<T> for [T; N] {
    fn of(values: Vec<T>) -> Self {
        let there = values.len();
        let Ok(values) = values.try_into() else {
            panic!("an array of {N} values cannot be read out of {there}")
        };
        values
    }
}

impl<T: BytesConvertable> Vectors<T> {
    /// Each behind its length.
    pub(super) const fn of_fields() -> Self {
        Self {
            length: |_| None,
            write: |values, encoder| {
                for value in values {
                    encoder.field(value).expect("memory for the value");
                }
            },
            write_ref: |values, encoder| {
                values.iter().all(|value| encoder.field_ref(value).expect("memory for the value"))
            },
            read: read_fields,
            into_bytes: |values| {
                let mut encoder = Encoder::new();
                values.into_encoder(&mut encoder);
                encoder.finish().into_bytes().into()
            },
            from_bytes: |bytes| read_fields(Part::all(&bytes.into())),
            from_owned: |bytes| read_fields(Part::all(&bytes)),
        }
    }
}

fn read_fields<T: BytesConvertable>(part: Part<'_>) -> Vec<T> {
    /// Counts the depth down, also when a value panics.
    struct Leave(usize);

    impl Drop for Leave {
        fn drop(&mut self) {
            DEEP.set(self.0);
        }
    }

    let depth = DEEP.get();
    assert!(depth < DEPTH, "vectors stand in each other more than {DEPTH} deep");
    let _leave = Leave(depth);
    DEEP.set(depth + 1);
    let mut fields = Fields::within(part);
    // Nothing is reserved for what the bytes may hold: a value may be larger than they are.
    let mut values = Vec::new();
    while !fields.is_empty() {
        values.push(fields.field().expect("a value behind its length"));
    }
    values
}

/// A number. The loops are over chunks of its size, which the compiler makes out as shuffles of
/// whole registers. What is left at the end is no number, and ignored.
pub(super) trait Number: BytesConvertable + Copy {
    fn write(numbers: &[Self], bytes: &mut [u8]);
    fn read(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! numbers {
    ($($of:ty)*) => {$(
        impl Number for $of {
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

// Not of `u8`, whose vectors are bytes already.
numbers! { i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 }

/// Numbers.
pub(super) const fn numbers<T: Number>() -> Vectors<T> {
    Vectors {
        length: |numbers| Some(size_of_val(numbers)),
        write: |numbers, encoder| write_numbers(&numbers, encoder),
        write_ref: |numbers, encoder| {
            write_numbers(numbers, encoder);
            true
        },
        read: |part| T::read(&part),
        into_bytes: |numbers| {
            let mut bytes = vec![0; size_of_val(&numbers[..])];
            T::write(&numbers, &mut bytes);
            bytes
        },
        from_bytes: |bytes| T::read(&bytes),
        from_owned: |bytes| T::read(&bytes),
    }
}

fn write_numbers<T: Number>(numbers: &[T], encoder: &mut Encoder) {
    T::write(numbers, encoder.put_zeros(size_of_val(numbers)));
}

/// Bytes: moved when they are many, and not copied, unless the message is shared.
pub(super) const fn bytes() -> Vectors<u8> {
    Vectors {
        length: |bytes| super::copied(bytes.len()),
        write: |bytes, encoder| encoder.put_vec(bytes),
        write_ref: |bytes, encoder| {
            encoder.put_copy(bytes);
            true
        },
        read: |part| part.to_vec(),
        into_bytes: |bytes| bytes,
        from_bytes: |bytes| bytes,
        from_owned: own,
    }
}

fn own(bytes: Bytes) -> Vec<u8> {
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

/// A byte for each.
pub(super) const fn bools() -> Vectors<bool> {
    Vectors {
        length: |bools| Some(bools.len()),
        write: |bools, encoder| write_bools(&bools, encoder),
        write_ref: |bools, encoder| {
            write_bools(bools, encoder);
            true
        },
        read: |part| part.iter().map(|it| *it == 1).collect(),
        into_bytes: |bools| bools.into_iter().map(u8::from).collect(),
        from_bytes: |bytes| bytes.into_iter().map(|it| it == 1).collect(),
        from_owned: |bytes| bytes.iter().map(|it| *it == 1).collect(),
    }
}

fn write_bools(bools: &[bool], encoder: &mut Encoder) {
    for (byte, it) in encoder.put_zeros(bools.len()).iter_mut().zip(bools) {
        *byte = (*it).into();
    }
}

/// As the vector of their numbers.
pub(super) const fn characters() -> Vectors<char> {
    Vectors {
        length: |characters| Some(size_of_val(characters)),
        write: |characters, encoder| write_codes(&characters, encoder),
        write_ref: |characters, encoder| {
            write_codes(characters, encoder);
            true
        },
        read: |part| read_codes(&part),
        into_bytes: |characters| {
            characters.into_iter().flat_map(|it| u32::from(it).to_be_bytes()).collect()
        },
        from_bytes: |bytes| read_codes(&bytes),
        from_owned: |bytes| read_codes(&bytes),
    }
}

fn write_codes(characters: &[char], encoder: &mut Encoder) {
    let bytes = encoder.put_zeros(size_of_val(characters));
    for (chunk, it) in bytes.chunks_exact_mut(size_of::<u32>()).zip(characters) {
        chunk.copy_from_slice(&u32::from(*it).to_be_bytes());
    }
}

fn read_codes(bytes: &[u8]) -> Vec<char> {
    let character = |code| char::from_u32(code).expect("the bytes of characters");
    u32::read(bytes).into_iter().map(character).collect()
}
