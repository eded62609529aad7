//! What waits in a mailbox.

#[cfg(feature = "message_span_propogation")]
use crate::message::current_span;
use crate::message::{ArcMessage, BoxedMessage};

/// A message on its way, where `S` is the message itself, or a box of it.
pub(crate) enum Parcel<S> {
    /// As it was sent, of the type that the actor handles.
    Plain(S),
    /// One that others may hold too.
    Shared(ArcMessage),
    /// One that a type's own `box_message` made, or that came from another node.
    Boxed(Box<BoxedMessage>),
    /// With the span in which it was sent. Both boxed, so that others do not grow by it.
    #[cfg(feature = "message_span_propogation")]
    Traced(Box<tracing::Span>, Box<Self>),
}

/// How to take a message out of its [`Parcel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Shared,
    Boxed,
    #[cfg(feature = "message_span_propogation")]
    Traced,
}

impl<S> Parcel<S> {
    /// A message, and the current span.
    #[inline]
    pub(crate) fn plain(message: S) -> Self {
        #[cfg(feature = "message_span_propogation")]
        if let Some(span) = current_span() {
            return Self::Plain(message).traced(span);
        }
        Self::Plain(message)
    }

    /// A message that came from another node, and the span that it is to be handled in.
    #[cfg(feature = "cluster")]
    #[inline]
    pub(crate) fn plain_in(message: S, span: Option<&tracing::Span>) -> Self {
        #[cfg(feature = "message_span_propogation")]
        if let Some(span) = span {
            return Self::Plain(message).traced(span.clone());
        }
        let _ = span;
        Self::Plain(message)
    }

    /// A message that is shared, and the current span.
    #[inline]
    pub(crate) fn shared(message: ArcMessage) -> Self {
        #[cfg(feature = "message_span_propogation")]
        if let Some(span) = current_span() {
            return Self::Shared(message).traced(span);
        }
        Self::Shared(message)
    }

    /// A message in the form that its type chose: the shared one waits as it is.
    pub(crate) fn of(mut message: Box<BoxedMessage>) -> Self {
        let Some(shared) = message.arc_msg.take() else { return Self::Boxed(message) };
        #[cfg(feature = "message_span_propogation")]
        if let Some(span) = message.span.take() {
            return Self::Shared(shared).traced(span);
        }
        Self::Shared(shared)
    }

    // Apart from the above, which then move a message once.
    #[cfg(feature = "message_span_propogation")]
    #[cold]
    fn traced(self, span: tracing::Span) -> Self {
        Self::Traced(Box::new(span), Box::new(self))
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Plain(_) => Kind::Plain,
            Self::Shared(_) => Kind::Shared,
            Self::Boxed(_) => Kind::Boxed,
            #[cfg(feature = "message_span_propogation")]
            Self::Traced(..) => Kind::Traced,
        }
    }

    /// The message as it was sent.
    #[inline]
    pub(crate) fn into_plain(self) -> S {
        match self {
            Self::Plain(message) => message,
            other => other.untraced_plain(),
        }
    }

    #[cold]
    fn untraced_plain(self) -> S {
        match self {
            Self::Plain(message) => message,
            #[cfg(feature = "message_span_propogation")]
            Self::Traced(_, message) => message.untraced_plain(),
            _ => unreachable!("its kind was looked at"),
        }
    }

    /// The message that is shared.
    #[inline]
    pub(crate) fn into_shared(self) -> ArcMessage {
        match self {
            Self::Shared(message) => message,
            #[cfg(feature = "message_span_propogation")]
            Self::Traced(_, message) => message.into_shared(),
            _ => unreachable!("its kind was looked at"),
        }
    }

    /// The message in its box, of one that came [in a box](Self::of).
    pub(crate) fn into_boxed(self) -> Box<BoxedMessage> {
        match self {
            Self::Boxed(message) => message,
            Self::Shared(message) => Box::new(message.into()),
            #[cfg(feature = "message_span_propogation")]
            Self::Traced(span, message) => {
                let mut message = message.into_boxed();
                message.span = Some(*span);
                message
            }
            Self::Plain(_) => unreachable!("its kind was looked at"),
        }
    }
}
