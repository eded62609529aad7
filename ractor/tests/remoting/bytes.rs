//! Values as bytes: the short way and stock's are the same.

use std::fmt::Debug;

use bytes::Bytes;
#[cfg(not(feature = "blanket_serde"))]
use ractor::remoting::Payload;
use ractor::remoting::{Encoder, Fields, Part, LARGE};
use ractor::BytesConvertable;
use rand::distr::{Alphanumeric, SampleString};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// By the function that stock has, and by ours, among others.
fn is_the_same_both_ways<T: BytesConvertable + Clone + PartialEq + Debug>(value: &T) {
    let bytes = value.clone().into_bytes();
    if let Some(hint) = value.bytes_len() {
        assert_eq!(hint, bytes.len(), "{value:?}");
    }
    assert_eq!(&T::from_bytes(bytes.clone()), value);

    let mut encoder = Encoder::new();
    encoder.put_slice(b"before");
    value.clone().into_encoder(&mut encoder);
    encoder.put_slice(b"after");
    let all = encoder.finish().into_bytes();
    let own = all.strip_prefix(b"before").unwrap().strip_suffix(b"after").unwrap();
    assert_eq!(own, bytes);
    assert_eq!(&T::from_part(Part::all(&bytes.into())), value);

    let mut encoder = Encoder::new();
    encoder.field(value.clone()).unwrap();
    encoder.field(value.clone()).unwrap();
    let fields = encoder.finish().into_bytes();
    assert_eq!(fields[..8], (own.len() as u64).to_be_bytes());
    assert_eq!(&fields[8..8 + own.len()], own);
    let mut fields = Fields::of(&fields);
    assert_eq!(&fields.field::<T>().unwrap(), value);
    assert_eq!(&fields.field::<T>().unwrap(), value);
    assert!(fields.field::<T>().is_err());
    fields.end().unwrap();
}

/// From a reference as by value: the same bytes, and the same of them in one piece.
fn is_the_same_from_a_reference<T: BytesConvertable + Clone + Debug>(value: &T) {
    let (mut by_value, mut by_reference) = (Encoder::new(), Encoder::new());
    for _ in 0..2 {
        by_value.field(value.clone()).unwrap();
        assert!(by_reference.field_ref(value).unwrap(), "{value:?}");
    }
    by_value.put_slice(b"between");
    by_reference.put_slice(b"between");
    value.clone().into_encoder(&mut by_value);
    assert!(value.to_encoder(&mut by_reference));
    let (by_value, by_reference) = (by_value.finish(), by_reference.finish());
    assert_eq!(by_value.head, by_reference.head);
    assert_eq!(by_value.tail, by_reference.tail);
}

macro_rules! same_both_ways {
    ($($of:ty)*) => {$({
        let mut random = StdRng::seed_from_u64(1);
        for length in [0, 1, 2, 3, 7, 16, 100, 129, LARGE, 3 * LARGE] {
            let one: $of = random.random();
            is_the_same_both_ways(&one);
            is_the_same_from_a_reference(&one);
            let many: Vec<$of> = (0..length).map(|_| random.random()).collect();
            is_the_same_both_ways(&many);
            is_the_same_from_a_reference(&many);
        }
    })*};
}

#[test]
fn numbers_characters_and_vectors_of_them() {
    same_both_ways! { i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bool char }
    is_the_same_both_ways(&());
    is_the_same_from_a_reference(&());
}

#[test]
fn texts() {
    let mut random = StdRng::seed_from_u64(2);
    for length in [0, 1, 30, LARGE - 1, LARGE, LARGE + 1, 10 * LARGE] {
        let text = Alphanumeric.sample_string(&mut random, length);
        is_the_same_both_ways(&text);
        is_the_same_from_a_reference(&text);
    }
    is_the_same_both_ways(&"Zürich, 東京".to_owned());
    is_the_same_from_a_reference(&"Zürich, 東京".to_owned());
}

#[test]
fn a_type_that_knows_of_stocks_functions_only() {
    is_the_same_both_ways(&crate::messages::Pair(8, 9));
}

#[cfg(not(feature = "blanket_serde"))]
#[test]
fn bytes_are_moved_out_and_shared_when_they_come() {
    for length in [0, 1, LARGE - 1, LARGE, 100_000] {
        is_the_same_both_ways(&Bytes::from(vec![5; length]));
        is_the_same_from_a_reference(&Bytes::from(vec![5; length]));
    }
    let large = Bytes::from(vec![7; 100_000]);

    let mut encoder = Encoder::new();
    encoder.field(1_u64).unwrap();
    encoder.field(large.clone()).unwrap();
    let payload = encoder.finish();
    assert_eq!(payload.tail.as_ptr(), large.as_ptr());
    assert_eq!(payload.head[16..], 100_000_u64.to_be_bytes());

    let came = payload.into_bytes();
    let mut fields = Fields::of(&came);
    assert_eq!(fields.field::<u64>().unwrap(), 1);
    let part: Bytes = fields.field().unwrap();
    assert_eq!(part.as_ptr(), came[24..].as_ptr());
    assert_eq!(part, large);

    // A small part does not keep the whole.
    let mut encoder = Encoder::new();
    encoder.field(Bytes::from_static(b"small")).unwrap();
    encoder.field(vec![0_u8; 100_000]).unwrap();
    let came = encoder.finish().into_bytes();
    let small: Bytes = Fields::of(&came).field().unwrap();
    assert!(!came.as_ptr_range().contains(&small.as_ptr()));
    assert_eq!(small, "small");
}

#[cfg(not(feature = "blanket_serde"))]
#[test]
fn bytes_are_counted_and_not_copied_from_a_reference() {
    let large = Bytes::from(vec![7; 100_000]);
    let mut encoder = Encoder::new();
    assert!(encoder.field_ref(&1_u64).unwrap() && encoder.field_ref(&large).unwrap());
    let payload = encoder.finish();
    assert_eq!(payload.tail.as_ptr(), large.as_ptr());
    assert_eq!(payload.head.len(), 8 + 8 + 8);
}

/// Writes half of itself, and then finds that it cannot.
#[derive(Clone, Debug)]
struct Half(Vec<u8>);

impl BytesConvertable for Half {
    fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_copy(&self.0[..self.0.len() / 2]);
        false
    }
}

#[test]
fn what_cannot_be_written_from_a_reference_leaves_nothing_behind() {
    for (before, half) in [(1, 10), (3 * LARGE, 10), (1, 10 * LARGE), (3 * LARGE, 10 * LARGE)] {
        let mut encoder = Encoder::new();
        encoder.put_copy(&vec![1; before]);
        assert!(!encoder.field_ref(&Half(vec![2; half])).unwrap());
        assert!(!encoder.field_ref(&crate::messages::Pair(3, 4)).unwrap());
        assert_eq!(encoder.len(), before);
        encoder.field(5_u8).unwrap();
        let mut alone = Encoder::new();
        alone.field(5_u8).unwrap();
        let alone = alone.finish().into_vec();
        assert_eq!(encoder.finish().into_vec(), [&vec![1; before][..], &alone].concat());
    }
}

#[cfg(not(feature = "blanket_serde"))]
#[test]
fn a_vector_of_bytes_is_moved_when_it_is_last() {
    let large = vec![3_u8; LARGE];
    let at = large.as_ptr();
    let mut encoder = Encoder::new();
    encoder.field(large).unwrap();
    assert_eq!(encoder.len(), 8 + LARGE);
    let Payload { head, tail } = encoder.finish();
    assert_eq!((head.len(), tail.as_ptr()), (8, at));

    // And copied when something follows.
    let mut encoder = Encoder::new();
    encoder.field(vec![3_u8; LARGE]).unwrap();
    encoder.field(4_u8).unwrap();
    let Payload { head, tail } = encoder.finish();
    assert_eq!((head.len(), tail.len()), (8 + LARGE + 9, 0));
}

#[test]
fn fields_inside_of_fields() {
    let mut encoder = Encoder::new();
    let outer = encoder.begin_field();
    let inner = encoder.begin_field();
    encoder.put_bytes(Bytes::from(vec![1; LARGE]));
    encoder.end_field(inner);
    encoder.put_slice(&[2]);
    let empty = encoder.begin_field();
    encoder.end_field(empty);
    encoder.end_field(outer);
    let bytes = encoder.finish().into_bytes();

    let mut fields = Fields::of(&bytes);
    let outer = fields.part().unwrap();
    fields.end().unwrap();
    let outer = outer.to_bytes();
    assert_eq!(outer.len(), 8 + LARGE + 1 + 8);
    let mut inner = Fields::of(&outer);
    assert_eq!(*inner.part().unwrap(), [1; LARGE]);
    assert!(inner.end().is_err());
}

#[test]
fn fields_of_any_bytes_are_read_to_an_end() {
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..20_000 {
        let length = random.random_range(0..40);
        let mut noise: Vec<u8> = (0..length).map(|_| random.random()).collect();
        if length >= 8 && random.random() {
            // A length that may fit.
            noise[..7].fill(0);
        }
        let noise = Bytes::from(noise);
        let mut fields = Fields::of(&noise);
        let mut read = 0;
        while let Ok(part) = fields.part() {
            read += 8 + part.len();
            assert!(noise.as_ptr_range().contains(&part.as_ptr()) || part.is_empty());
        }
        assert_eq!(fields.end().is_ok(), read == noise.len());
    }
    let huge = Bytes::from(u64::MAX.to_be_bytes().to_vec());
    assert!(Fields::of(&huge).part().is_err());
}

#[test]
fn memory_that_is_given_back_is_used_again() {
    // In a thread of its own, whose memory no other test uses.
    let again = std::thread::spawn(|| {
        let encode = |number: u64| {
            let mut encoder = Encoder::new();
            encoder.put_slice(&number.to_be_bytes());
            encoder.finish()
        };
        let first = encode(1);
        let at = first.head.as_ptr() as usize;
        first.recycle();
        let second = encode(2);
        assert_eq!(second.head, 2_u64.to_be_bytes());
        // What is not given back is not used twice.
        let third = encode(3);
        assert_ne!(third.head.as_ptr(), second.head.as_ptr());
        (at, second.head.as_ptr() as usize)
    });
    let (first, second) = again.join().unwrap();
    assert_eq!(first, second);
}
