//! What a reader does when it is polled: it takes all that is there, polls for an answer that is
//! expected, asks to be woken, and looks again. `mycelium-ext/model` runs this file in every
//! interleaving.

use std::task::{Poll, ready};

/// Something that is read, step by step.
pub(crate) trait Reading {
    /// Why it cannot be read on.
    type Error;

    /// Takes all that is there. False when there was nothing.
    fn take(&mut self) -> Result<bool, Self::Error>;

    /// Whether an answer is expected; once.
    fn expects_answer(&mut self) -> bool;

    /// The writer need not wake the reader, until it [sleeps](Self::sleep).
    fn stay_awake(&mut self);

    /// Looks for a while, if there is reason to.
    fn look(&mut self, for_answer: bool) -> Result<Looked, Self::Error>;

    /// Asks the writer to wake the reader. False when there is something by now.
    fn sleep(&mut self) -> Result<bool, Self::Error>;

    /// Until the reader is woken. True when the writer is gone.
    fn poll_woken(&mut self) -> Poll<Result<bool, Self::Error>>;
}

/// What came of looking for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    /// There are some.
    Some,
    /// Not yet: others have a turn in between, and then the reader.
    Later,
    /// There are none.
    None,
}

/// Takes all that is there, or has the reader woken when there is something. Ready without having
/// taken anything when the writer is gone.
pub(crate) fn poll_read<R: Reading>(reader: &mut R) -> Poll<Result<(), R::Error>> {
    let mut gone = false;
    loop {
        // What was written before the writer went is read.
        if reader.take()? || gone {
            return Poll::Ready(Ok(()));
        }
        let for_answer = reader.expects_answer();
        if for_answer {
            reader.stay_awake();
        }
        match reader.look(for_answer)? {
            Looked::Some => continue,
            Looked::Later => return Poll::Pending,
            Looked::None => {}
        }
        if reader.sleep()? {
            gone = ready!(reader.poll_woken())?;
        }
    }
}
