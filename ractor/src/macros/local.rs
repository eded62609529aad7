//! Messages of libraries.

/// Makes a type a message that stays in this process: in a build with the `cluster` feature, and in one
/// without it, where every type is a message by itself. A library cannot know in which it will be.
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
