//! Declares a struct of options: one line makes a field, its documentation, its default and its
//! builder.
//!
//! A key of `mycelium.toml` needs a line in two more files: the declaration of the key in
//! `mycelium-ext`, which a test there demands for each option, and the example.

/// `field: type = default, builder;` declares an option. Without a builder, one is written by hand,
/// or the field is set. `field if cfg: …` declares an option of some systems.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$doc:meta])*
                $field:ident $(if $cfg:meta)?: $type:ty = $default:expr $(, $builder:ident)?;
            )+
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\nThe default is `", stringify!($default), "`.")]
                $(#[cfg($cfg)])?
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($(#[cfg($cfg)])? $field: $default,)+ }
            }
        }

        impl $name {
            /// The names of all options, for tests that compare them with their documentation.
            #[doc(hidden)]
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            $($(
                #[doc = concat!(
                    "Sets [`", stringify!($field), "`](Self::", stringify!($field), ").",
                )]
                #[must_use]
                pub const fn $builder(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )?)+
        }
    };
}

pub(in crate::link) use options;
