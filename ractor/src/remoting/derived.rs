//! What the derives generate calls of. Not for anybody else.

use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};

use bytes::Buf as _;
pub use bytes::Bytes;

use super::encoder::LENGTH;
use super::{from_serialized, Encoder, Fields, Incoming, Part};
use crate::message::{ArcMessage, BoxedDowncastErr, SerializedMessage, SharedMessage};
use crate::{BytesConvertable, Message, RpcReplyPort};

/// [`Message::serialize`] by way of [`Message::into_outgoing`]. A port ends with the time of its
/// call, as in stock.
pub fn serialize<M: Message>(message: M) -> Result<SerializedMessage, BoxedDowncastErr> {
    let mut message = message.into_outgoing()?;
    message.reply = message.reply.map(RpcReplyPort::with_deadline);
    Ok(message.into_serialized())
}

/// [`Message::deserialize`] by way of [`Message::from_incoming`]. A port ends with the time of its
/// call, as in stock.
pub fn deserialize<M: Message>(message: SerializedMessage) -> Result<M, BoxedDowncastErr> {
    let mut message = from_serialized(message)?;
    // A sink of the cluster keeps its own time, and no call of a peer takes a task.
    message.reply = message.reply.map(|port| match port.is_channel() {
        true => port.with_deadline(),
        false => port,
    });
    message.read_back(|incoming| guarded(|| M::from_incoming(incoming)))
}

/// [`BytesConvertable::into_bytes`] by way of its encoder.
pub fn into_bytes<T: BytesConvertable>(value: T) -> Vec<u8> {
    let mut encoder = Encoder::new();
    value.into_encoder(&mut encoder);
    encoder.finish().into_bytes().into()
}

/// [`BytesConvertable::from_bytes`] by way of a part.
pub fn from_bytes<T: BytesConvertable>(bytes: Vec<u8>) -> T {
    T::from_part(Part::all(&bytes.into()))
}

/// The bytes of fields, each of so many, with their lengths. `None` where one is not known.
pub fn fields_len<const N: usize>(fields: [Option<usize>; N]) -> Option<usize> {
    fields.into_iter().try_fold(0_usize, |sum, field| sum.checked_add(field?.checked_add(LENGTH)?))
}

/// Writes a field of a value.
///
/// # Panics
/// There is not so much memory.
pub fn put_field<T: BytesConvertable>(encoder: &mut Encoder, value: T) {
    encoder.field(value).expect("memory for a field");
}

/// Writes a field of a value from a reference, if its type can be written so.
///
/// # Panics
/// There is not so much memory.
pub fn put_field_ref<T: BytesConvertable>(encoder: &mut Encoder, value: &T) -> bool {
    encoder.field_ref(value).expect("memory for a field")
}

/// Which variant of the enum `Of` the value is, by its place.
///
/// # Panics
/// The bytes do not say so.
pub fn place_of<Of>(fields: &mut Fields<'_>) -> u32 {
    fields.number().unwrap_or_else(|| not_of::<Of>())
}

/// The next field of a value of the type `Of`.
///
/// # Panics
/// There is none.
pub fn next_field<Of, T: BytesConvertable>(fields: &mut Fields<'_>) -> T {
    fields.field().unwrap_or_else(|_| not_of::<Of>())
}

/// All fields of a value of the type `Of` were read.
///
/// # Panics
/// There are more.
pub fn end_of_fields<Of>(fields: Fields<'_>) {
    fields.end().unwrap_or_else(|_| not_of::<Of>());
}

/// The bytes are no value of the type `Of`.
///
/// # Panics
/// Always.
#[cold]
pub fn not_of<Of>() -> ! {
    panic!("the bytes are no value of the type {}", std::any::type_name::<Of>())
}

/// What `decode` makes; a panic of the application's code in there is an error too.
pub fn guarded<T>(
    decode: impl FnOnce() -> Result<T, BoxedDowncastErr>,
) -> Result<T, BoxedDowncastErr> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(BoxedDowncastErr))
}

/// The last field, which begins at `at`.
#[inline]
pub fn last<T: BytesConvertable>(mut args: Bytes, at: usize) -> T {
    args.advance(at);
    T::from_owned(args)
}

/// Makes the arguments what a variant with `fields` before its last one decodes: the part that is
/// lent is the last field or its end, or all of it is in memory of this process.
#[inline]
pub fn arrange(args: &mut Bytes, lent: &mut Bytes, fields: usize) {
    if !lent.is_empty() {
        arrange_lent(args, lent, fields);
    }
}

#[cold]
fn arrange_lent(args: &mut Bytes, lent: &mut Bytes, fields: usize) {
    if !Fields::of(args).ends_in(lent, fields) {
        *args = joined(std::mem::take(args), &std::mem::take(lent));
    }
}

/// Bytes in one piece, in memory of this process.
#[cold]
pub fn joined(front: Bytes, lent: &Bytes) -> Bytes {
    super::joined(front, lent)
}

/// Which variant an enum is, by its place, where that does not lie in memory of its sender.
pub fn place_in_front(fields: &mut Fields<'_>) -> Option<u32> {
    fields.number()
}

/// Whether so many fields of a value lie here as a whole, and the next one is the last, and ends
/// with all that is lent.
pub fn ends_in_lent(fields: &Fields<'_>, lent: &Bytes, before: usize) -> bool {
    fields.ends_in(lent, before)
}

/// The last field of a value of the type `Of`, which ends with all that is lent.
///
/// # Panics
/// It does not.
pub fn last_in_lent<Of, T: BytesConvertable>(fields: Fields<'_>, lent: Bytes) -> T {
    fields.last_in(lent).unwrap_or_else(|_| not_of::<Of>())
}

/// Where the last field begins in `args`, which is read up to there. It may end in what is lent.
#[inline]
pub fn place(fields: Fields<'_>, lent: &Bytes) -> Result<usize, BoxedDowncastErr> {
    if lent.is_empty() {
        return fields.last();
    }
    fields.lent(lent)
}

/// The last field, which begins at `at`, and ends with what is lent.
#[inline]
pub fn last_or_lent<T: BytesConvertable>(mut args: Bytes, at: usize, lent: Bytes) -> T {
    if lent.is_empty() {
        return last(args, at);
    }
    args.advance(at);
    T::from_split(args, lent)
}

/// Tells whether `M` is shared, by the trait whose method the compiler finds first: the one of the
/// probe's reference, or that of the probe.
#[derive(Debug)]
pub struct Probe<M>(PhantomData<fn() -> M>);

impl<M> Probe<M> {
    /// The one there is.
    pub fn get() -> &'static Self {
        &Self(PhantomData)
    }
}

/// Of messages that are [`SharedMessage`].
pub trait Together<M> {
    /// The message, to be delivered to several actors; `None` when each has to decode its own.
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>>;
}

/// Of all others.
pub trait OneByOne<M> {
    /// None: each actor has to decode its own.
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>>;
}

impl<M: SharedMessage> Together<M> for Probe<M> {
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        ArcMessage::decode::<M>(incoming)
    }
}

impl<M: Message> OneByOne<M> for &Probe<M> {
    fn together(&self, _: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        None
    }
}

/// Writes a field of a message that is shared, and tells whether `T` is `Clone`, as [`Probe`] does.
#[derive(Debug)]
pub struct Reference<T>(PhantomData<fn() -> T>);

impl<T> Reference<T> {
    /// The one there is. The compiler looks for a method of two references first.
    pub fn get() -> &'static &'static Self {
        &&Self(PhantomData)
    }
}

/// Of fields that are `Clone`.
pub trait OrCopy<T> {
    /// Writes the field from the reference, or else a copy of it. False when there is none to be
    /// had: its `clone` panicked, which is not allowed to harm the sender.
    ///
    /// # Errors
    /// There is not so much memory.
    fn write(&self, value: &T, encoder: &mut Encoder) -> Result<bool, BoxedDowncastErr>;
}

/// Of all others that have a form as bytes.
pub trait OrNot<T> {
    /// Writes the field from the reference; false when its type cannot be.
    ///
    /// # Errors
    /// There is not so much memory.
    fn write(&self, value: &T, encoder: &mut Encoder) -> Result<bool, BoxedDowncastErr>;
}

/// Of fields that have none: the compiler says so elsewhere, and once is enough.
pub trait OrNothing<T> {
    /// Never called.
    ///
    /// # Errors
    /// None.
    fn write(&self, value: &T, encoder: &mut Encoder) -> Result<bool, BoxedDowncastErr>;
}

impl<T: BytesConvertable + Clone> OrCopy<T> for &Reference<T> {
    fn write(&self, value: &T, encoder: &mut Encoder) -> Result<bool, BoxedDowncastErr> {
        if encoder.field_ref(value)? {
            return Ok(true);
        }
        match catch_unwind(AssertUnwindSafe(|| value.clone())) {
            Ok(copy) => encoder.field(copy).map(|()| true),
            Err(_) => Ok(false),
        }
    }
}

impl<T: BytesConvertable> OrNot<T> for &&Reference<T> {
    fn write(&self, value: &T, encoder: &mut Encoder) -> Result<bool, BoxedDowncastErr> {
        encoder.field_ref(value)
    }
}

impl<T> OrNothing<T> for Reference<T> {
    fn write(&self, _: &T, _: &mut Encoder) -> Result<bool, BoxedDowncastErr> {
        Ok(false)
    }
}
