//! Messages and actors of libraries, which cannot know the features that `ractor` will have.

/// Makes a type a message that stays in this process: in a build with the `cluster` feature, and in
/// one without it, where every type is a message by itself. A library cannot know in which it will
/// be.
///
/// ```
/// struct Tick<T>(T);
///
/// ractor::local_message!(<T: Send + 'static> Tick<T>);
///
/// struct Halt;
///
/// ractor::local_message!(Halt);
/// ```
#[macro_export]
macro_rules! local_message {
    ($($message:tt)*) => {
        $crate::__local_message!($($message)*);
    };
}

#[cfg(not(feature = "cluster"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __local_message {
    ($($message:tt)*) => {};
}

#[cfg(feature = "cluster")]
#[doc(hidden)]
#[macro_export]
macro_rules! __local_message {
    (@is [$($bounds:tt)*] $message:ty) => {
        impl<$($bounds)*> $crate::Message for $message {
            // There is nothing else in here.
            fn keeps_default_boxing() -> bool {
                true
            }
        }
    };
    (@after [$($bounds:tt)*] > $message:ty) => {
        $crate::__local_message!(@is [$($bounds)*] $message);
    };
    (@after [$($bounds:tt)*] $bound:tt $($rest:tt)*) => {
        $crate::__local_message!(@after [$($bounds)* $bound] $($rest)*);
    };
    (< $($rest:tt)*) => {
        $crate::__local_message!(@after [] $($rest)*);
    };
    ($message:ty) => {
        $crate::__local_message!(@is [] $message);
    };
}

/// Implements `Actor` in a library: in a build with the feature `async-trait`, and in
/// one without it. The library needs no feature of its own for that.
///
/// ```
/// use ractor::{Actor, ActorProcessingErr, ActorRef};
///
/// struct Silent;
///
/// struct Nothing;
///
/// ractor::local_message!(Nothing);
///
/// ractor::library_actor! {
///     impl Actor for Silent {
///         type Msg = Nothing;
///         type State = ();
///         type Arguments = ();
///
///         async fn pre_start(&self, _: ActorRef<Nothing>, (): ()) -> Result<(), ActorProcessingErr> {
///             Ok(())
///         }
///     }
/// }
/// ```
#[cfg(not(feature = "async-trait"))]
#[macro_export]
macro_rules! library_actor {
    ($actor:item) => {
        $actor
    };
}

/// Implements `Actor` in a library: in a build with the feature `async-trait`, and in one without
/// it. The library needs no feature of its own for that.
#[cfg(feature = "async-trait")]
#[macro_export]
macro_rules! library_actor {
    ($actor:item) => {
        #[$crate::async_trait]
        $actor
    };
}

/// Stops the build of a crate that was built without `async-trait` beside a `ractor` that has it,
/// with an error that comes before those of each function that differs from `ractor`'s.
#[cfg(not(feature = "async-trait"))]
#[doc(hidden)]
#[macro_export]
macro_rules! mycelium_without_async_trait {
    ($remedy:literal) => {};
}

/// See the twin.
#[cfg(feature = "async-trait")]
#[doc(hidden)]
#[macro_export]
macro_rules! mycelium_without_async_trait {
    ($remedy:literal) => {
        compile_error!($remedy);
    };
}
