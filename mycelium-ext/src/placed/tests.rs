use super::*;

#[derive(Debug, Clone, Copy, PartialEq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Level {
    price: u64,
    size: u64,
}

fn levels(count: u64) -> Vec<Level> {
    (0..count).map(|number| Level { price: number, size: !number }).collect()
}

/// What a message does with its field.
fn sent<T: FromBytes + Immutable + KnownLayout + ?Sized>(value: Placed<T>) -> Bytes {
    let mut encoder = Encoder::new();
    value.into_encoder(&mut encoder);
    encoder.finish().into_bytes()
}

#[test]
fn it_is_sent_and_read_without_a_copy_where_it_is_large() {
    let book = Placed::<[Level]>::new(&levels(1000));
    let at = book.as_ptr();
    let bytes = sent(book);
    assert_eq!(bytes.as_ptr(), at.cast());
    let read = Placed::<[Level]>::from_owned(bytes.clone());
    assert_eq!((read.as_ptr(), &read[..]), (at, &levels(1000)[..]));
    assert_eq!(Placed::<[Level]>::from_lent(bytes).as_ptr(), at);
}

#[test]
fn it_is_read_in_whatever_place_it_comes() {
    let bytes = sent(Placed::<[Level]>::new(&levels(100)));
    for shift in 0..16 {
        let shifted = Bytes::from([&vec![0; shift], &bytes[..]].concat()).slice(shift..);
        let read = Placed::<[Level]>::try_from(shifted.clone()).unwrap();
        assert_eq!(read[..], levels(100));
        assert_eq!(Placed::<[Level]>::from_part(Part::all(&shifted))[..], levels(100));
    }
    let one = Placed::new(&Level { price: 7, size: 8 });
    assert_eq!(*Placed::<Level>::from_bytes(one.clone().into_bytes().into()), *one);
    assert!(Placed::<[Level]>::from_owned(Bytes::new()).is_empty());
}

#[test]
fn bytes_of_another_length_are_no_value() {
    for length in [0, 15, 17, 32] {
        let refused = Placed::<Level>::try_from(Bytes::from(vec![1; length])).unwrap_err();
        assert_eq!(refused.bytes, length);
        assert!(refused.to_string().contains("Level"), "{refused}");
    }
    let read = || Placed::<[Level]>::from_bytes(vec![1; 17]);
    assert!(std::panic::catch_unwind(read).is_err());
}
