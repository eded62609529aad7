//! Values that hold others as bytes: options, results and tuples.

use bytes::Bytes;

use crate::remoting::{joined, Encoder, Fields, Part};
use crate::BytesConvertable;

/// A byte that says whether there is a value, and the value behind it.
impl<T: BytesConvertable> BytesConvertable for Option<T> {
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = vec![self.is_some().into()];
        if let Some(value) = self {
            bytes.append(&mut value.into_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::from_part(Part::all(&bytes.into()))
    }

    fn bytes_len(&self) -> Option<usize> {
        match self {
            None => Some(1),
            Some(value) => value.bytes_len()?.checked_add(1),
        }
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_slice(&[self.is_some().into()]);
        if let Some(value) = self {
            value.into_encoder(encoder);
        }
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_slice(&[self.is_some().into()]);
        self.as_ref().is_none_or(|value| value.to_encoder(encoder))
    }

    fn from_part(part: Part<'_>) -> Self {
        match part.split_byte() {
            Some((0, part)) if part.is_empty() => None,
            Some((1, part)) => Some(T::from_part(part)),
            _ => panic!("the first byte does not say whether there is a value"),
        }
    }

    fn from_split(front: Bytes, lent: Bytes) -> Self {
        match front.first() {
            Some(1) => Some(T::from_split(front.slice(1..), lent)),
            _ => Self::from_owned(joined(front, &lent)),
        }
    }
}

/// A byte that says which of the two it is, 1 for `Ok` and 0 for `Err`, and the value behind it.
impl<T: BytesConvertable, E: BytesConvertable> BytesConvertable for Result<T, E> {
    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = vec![self.is_ok().into()];
        bytes.append(&mut match self {
            Ok(value) => value.into_bytes(),
            Err(error) => error.into_bytes(),
        });
        bytes
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self::from_part(Part::all(&bytes.into()))
    }

    fn bytes_len(&self) -> Option<usize> {
        let length = match self {
            Ok(value) => value.bytes_len(),
            Err(error) => error.bytes_len(),
        };
        length?.checked_add(1)
    }

    fn into_encoder(self, encoder: &mut Encoder) {
        encoder.put_slice(&[self.is_ok().into()]);
        match self {
            Ok(value) => value.into_encoder(encoder),
            Err(error) => error.into_encoder(encoder),
        }
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_slice(&[self.is_ok().into()]);
        match self {
            Ok(value) => value.to_encoder(encoder),
            Err(error) => error.to_encoder(encoder),
        }
    }

    fn from_part(part: Part<'_>) -> Self {
        match part.split_byte() {
            Some((1, part)) => Ok(T::from_part(part)),
            Some((0, part)) => Err(E::from_part(part)),
            _ => panic!("the first byte says neither `Ok` nor `Err`"),
        }
    }

    fn from_split(front: Bytes, lent: Bytes) -> Self {
        match front.first() {
            Some(1) => Ok(T::from_split(front.slice(1..), lent)),
            Some(0) => Err(E::from_split(front.slice(1..), lent)),
            _ => Self::from_owned(joined(front, &lent)),
        }
    }
}

/// As the fields of a message: each value behind its length.
macro_rules! tuple {
    ($($of:ident $value:ident)* ; $last_of:ident $last:ident) => {
        impl<$($of: BytesConvertable,)* $last_of: BytesConvertable> BytesConvertable
            for ($($of,)* $last_of,)
        {
            fn into_bytes(self) -> Vec<u8> {
                crate::remoting::derived::into_bytes(self)
            }

            fn from_bytes(bytes: Vec<u8>) -> Self {
                Self::from_part(Part::all(&bytes.into()))
            }

            fn into_encoder(self, encoder: &mut Encoder) {
                let ($($value,)* $last,) = self;
                $(encoder.field($value).expect("memory for the value");)*
                encoder.field($last).expect("memory for the value");
            }

            fn to_encoder(&self, encoder: &mut Encoder) -> bool {
                let ($($value,)* $last,) = self;
                $(encoder.field_ref($value).expect("memory for the value") &&)*
                    encoder.field_ref($last).expect("memory for the value")
            }

            fn from_part(part: Part<'_>) -> Self {
                let mut fields = Fields::within(part);
                $(let $value = fields.field().expect("a value behind its length");)*
                let $last = fields.field().expect("a value behind its length");
                fields.end().expect("as many values as the tuple has");
                ($($value,)* $last,)
            }

            #[allow(unused_mut, reason = "a tuple of one has no value before its last")]
            fn from_split(front: Bytes, lent: Bytes) -> Self {
                const BEFORE: &[&str] = &[$(stringify!($value)),*];
                let mut fields = Fields::of(&front);
                if !fields.ends_in(&lent, BEFORE.len()) {
                    return Self::from_owned(joined(front, &lent));
                }
                $(let $value = fields.field().expect("a value behind its length");)*
                let $last = fields.last_in(lent).expect("the last value, and nothing else");
                ($($value,)* $last,)
            }
        }
    };
}

tuple! { ; A a }
tuple! { A a ; B b }
tuple! { A a B b ; C c }
tuple! { A a B b C c ; D d }
tuple! { A a B b C c D d ; E e }
tuple! { A a B b C c D d E e ; F f }
