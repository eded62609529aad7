//! Which messages may be sent by `Arc`.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::Message;

/// A message that several mailboxes can hold at once.
///
/// Every message that is `Clone` and `Sync` is one. A type that is not `Clone`, say because one
/// of its variants holds an [`RpcReplyPort`](crate::RpcReplyPort), derives it
/// (`ractor_cluster::SharedMessage`), or implements it by hand; a type that is `Clone` has it
/// already, and a derive beside that is a conflict.
///
/// A message that is `Send` but not `Sync` cannot be shared. By value it is sent as ever.
///
/// ```
/// use ractor::message::SharedMessage;
/// use ractor::RpcReplyPort;
///
/// enum Book {
///     Tick(u64),
///     Snapshot(RpcReplyPort<u64>),
/// }
/// # #[cfg(feature = "cluster")]
/// impl ractor::Message for Book {}
///
/// impl SharedMessage for Book {
///     fn clone_shared(&self) -> Option<Self> {
///         match self {
///             Self::Tick(price) => Some(Self::Tick(*price)),
///             Self::Snapshot(_) => None,
///         }
///     }
///
///     // One question has one answer.
///     fn is_shareable(&self) -> bool {
///         !matches!(self, Self::Snapshot(_))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent by `Arc`",
    label = "not a `SharedMessage`",
    note = "a message is shared when it is `Clone` and `Sync`, or derives `SharedMessage`"
)]
pub trait SharedMessage: Message + Sync {
    /// A copy, for a receiver that wants a message of its own; `None` when this value cannot be
    /// copied. A receiver that only reads never asks. A message for other nodes is copied only
    /// where it cannot be written from a reference (`Message::to_outgoing`).
    fn clone_shared(&self) -> Option<Self>;

    /// Whether this value may be sent by `Arc`. One that holds a reply port may not, since
    /// several receivers would owe one answer.
    fn is_shareable(&self) -> bool {
        true
    }
}

impl<T: Message + Clone + Sync> SharedMessage for T {
    fn clone_shared(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// A copy, if there is one to be had: what the application's `clone` does in there is not
/// allowed to harm a sender that has others to serve.
pub(crate) fn copy_of<T: SharedMessage>(message: &T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| message.clone_shared())).ok().flatten()
}
