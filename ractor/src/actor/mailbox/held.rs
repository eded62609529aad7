//! A message in a box of its own.

use std::borrow::Borrow;

use super::spares;

/// A message in a box of its own: how messages wait that are too large for the mailbox itself.
///
/// Its receiver [takes](Self::take) the message out, and gives the box [back](Self::recycle) when
/// the message is at its place. Between the two nothing happens to the memory of the box, so that
/// the compiler can move the message there at once.
pub(crate) struct Held<M>(Box<Option<M>>);

impl<M: Send + 'static> Held<M> {
    /// Puts a message into a box: a spare one, if there is one.
    // Into each sender, where the message is made: as a call, it would be moved once more.
    #[inline(always)]
    pub(crate) fn new(message: M) -> Self {
        if let Some(mut empty) = spares::take::<M>() {
            *empty = Some(message);
            return Self(empty);
        }
        Self(Box::new(Some(message)))
    }

    /// The message.
    ///
    /// # Panics
    /// It was taken before.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> M {
        self.0.take().expect("a message is taken once")
    }

    /// Gives the box back.
    #[inline]
    pub(crate) fn recycle(self) {
        spares::put(self.0);
    }

    /// The message, without the box.
    pub(crate) fn into_inner(mut self) -> M {
        let message = self.take();
        self.recycle();
        message
    }
}

impl<M> Borrow<M> for Held<M> {
    fn borrow(&self) -> &M {
        self.0.as_ref().as_ref().expect("a message that waits was not taken")
    }
}
