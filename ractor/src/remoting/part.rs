//! Reads a frame's parts where they lie.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::LARGE;
use crate::message::BoxedDowncastErr;
use crate::BytesConvertable;

/// The bytes of one value, among those that came with it. Reads like a slice.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    bytes: &'a [u8],
    whole: &'a Bytes,
}

impl<'a> Part<'a> {
    /// All of it.
    pub fn all(whole: &'a Bytes) -> Self {
        Self { bytes: whole, whole }
    }

    /// The first byte, and what is behind it.
    #[cfg(not(feature = "blanket_serde"))]
    pub(crate) fn split_byte(&self) -> Option<(u8, Self)> {
        let (first, bytes) = self.bytes.split_first()?;
        Some((*first, Self { bytes, whole: self.whole }))
    }

    /// The bytes, for as long as the message that they came with.
    pub fn as_slice(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes, to be kept: shared with all that came when they are large
    /// ([`LARGE`](super::LARGE)), and else copied, since a small part would keep the whole in
    /// memory.
    pub fn to_bytes(&self) -> Bytes {
        if self.bytes.len() < LARGE {
            return Bytes::copy_from_slice(self.bytes);
        }
        self.whole.slice_ref(self.bytes)
    }
}

impl Deref for Part<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Part({} of {} bytes)", self.bytes.len(), self.whole.len())
    }
}

/// A variant's fields, which are read one after the other.
pub struct Fields<'a> {
    left: &'a [u8],
    whole: &'a Bytes,
}

impl<'a> Fields<'a> {
    /// Those that came as `args`.
    pub fn of(args: &'a Bytes) -> Self {
        Self { left: args, whole: args }
    }

    /// Those of a value that is a field itself.
    pub fn within(part: Part<'a>) -> Self {
        Self { left: part.bytes, whole: part.whole }
    }

    /// Whether there is no further one.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// A number in front of the next field.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let (number, left) = self.left.split_first_chunk()?;
        self.left = left;
        Some(u32::from_be_bytes(*number))
    }

    /// The bytes of the next field.
    ///
    /// # Errors
    /// There are fewer bytes than its length says, or none.
    #[inline]
    pub fn part(&mut self) -> Result<Part<'a>, BoxedDowncastErr> {
        let (length, left) = self.left.split_first_chunk().ok_or(BoxedDowncastErr)?;
        let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| BoxedDowncastErr)?;
        let (bytes, left) = left.split_at_checked(length).ok_or(BoxedDowncastErr)?;
        self.left = left;
        Ok(Part { bytes, whole: self.whole })
    }

    /// The next field.
    ///
    /// # Errors
    /// There are fewer bytes than its length says, or none.
    ///
    /// # Panics
    /// When the type's conversion does, as it may with bytes that are not of it.
    #[inline]
    pub fn field<T: BytesConvertable>(&mut self) -> Result<T, BoxedDowncastErr> {
        self.part().map(T::from_part)
    }

    /// Where the next field begins, in bytes of all that came; nothing may follow it.
    ///
    /// # Errors
    /// Something follows it, there are fewer bytes than its length says, or it is missing.
    #[inline]
    pub fn last(mut self) -> Result<usize, BoxedDowncastErr> {
        let part = self.part()?;
        let at = self.whole.len() - part.len();
        self.end().map(|()| at)
    }

    /// Where the next field begins, in bytes of all that came; it is the last one, and ends with
    /// all that is lent.
    ///
    /// # Errors
    /// It ends elsewhere, or its length is missing.
    pub(crate) fn lent(self, lent: &Bytes) -> Result<usize, BoxedDowncastErr> {
        let (length, left) = self.left.split_first_chunk().ok_or(BoxedDowncastErr)?;
        if u64::from_be_bytes(*length) == (left.len() + lent.len()) as u64 {
            return Ok(self.whole.len() - left.len());
        }
        Err(BoxedDowncastErr)
    }

    /// Whether so many fields lie here as a whole, and the next one is the last, and ends with all
    /// that is lent.
    pub(crate) fn ends_in(&self, lent: &Bytes, fields: usize) -> bool {
        let mut rest = Self { left: self.left, whole: self.whole };
        (0..fields).all(|_| rest.part().is_ok()) && rest.lent(lent).is_ok()
    }

    /// The last field, which ends with all that is lent.
    ///
    /// # Errors
    /// It does not.
    ///
    /// # Panics
    /// When the type's conversion does, as it may with bytes that are not of it.
    pub(crate) fn last_in<T: BytesConvertable>(self, lent: Bytes) -> Result<T, BoxedDowncastErr> {
        let whole = self.whole;
        let at = self.lent(&lent)?;
        Ok(T::from_split(whole.slice(at..), lent))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    #[inline]
    pub fn end(self) -> Result<(), BoxedDowncastErr> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(BoxedDowncastErr)
        }
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({} of {} bytes left)", self.left.len(), self.whole.len())
    }
}
