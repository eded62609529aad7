//! Declares the keys of a section: each stands in one place, with all that follows from it.
//!
//! A declaration makes the field and its documentation, the default, the key that is read, its line
//! in the display of a configuration, and the option of the cluster that gets the value. A test
//! compares the declared keys with `mycelium.example.toml`, which documents them.

use std::fmt::Display;
use std::time::Duration;

use bytesize::ByteSize;

use super::values::{OrOff, Size, Value};

/// How a key's value is written, kept and shown.
pub(super) trait Kind: Value {
    /// The type of the field.
    type Kept;

    /// The value of the field.
    fn kept(self) -> Self::Kept;

    /// The value, for people.
    fn shown(kept: &Self::Kept) -> impl Display;
}

impl Kind for Size {
    type Kept = u64;

    fn kept(self) -> u64 {
        self.0
    }

    fn shown(kept: &u64) -> impl Display {
        ByteSize(*kept).display().iec()
    }
}

impl Kind for u64 {
    type Kept = Self;

    fn kept(self) -> Self {
        self
    }

    fn shown(kept: &Self) -> impl Display {
        *kept
    }
}

impl Kind for Duration {
    type Kept = Self;

    fn kept(self) -> Self {
        self
    }

    fn shown(kept: &Self) -> impl Display {
        humantime::format_duration(*kept)
    }
}

impl Kind for OrOff {
    type Kept = Duration;

    fn kept(self) -> Duration {
        self.0
    }

    fn shown(kept: &Duration) -> impl Display {
        match kept.is_zero() {
            true => "off".to_owned(),
            false => humantime::format_duration(*kept).to_string(),
        }
    }
}

impl Kind for bool {
    type Kept = Self;

    fn kept(self) -> Self {
        self
    }

    fn shown(kept: &Self) -> impl Display {
        *kept
    }
}

/// An option of the cluster, as a key's value.
pub(super) trait Linked<T> {
    /// Its value.
    fn value(&self) -> T;

    /// Takes a value, or the nearest that it can have.
    fn set(&mut self, value: T);
}

impl<T: Copy> Linked<T> for T {
    fn value(&self) -> T {
        *self
    }

    fn set(&mut self, value: T) {
        *self = value;
    }
}

impl Linked<u64> for usize {
    fn value(&self) -> u64 {
        *self as u64
    }

    fn set(&mut self, value: u64) {
        *self = Self::try_from(value).unwrap_or(Self::MAX);
    }
}

impl Linked<u64> for u32 {
    fn value(&self) -> u64 {
        u64::from(*self)
    }

    fn set(&mut self, value: u64) {
        *self = Self::try_from(value).unwrap_or(Self::MAX);
    }
}

/// The settings of a section. A line `key: field as kind = link option;` declares a key for an
/// option of the cluster, whose default it takes; `= own default;` one that the cluster has not.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident over $links:ident {
            $($(#[$doc:meta])* $key:ident: $field:ty as $kind:ident = $from:ident $source:expr;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $key: $crate::config::Setting<$field>,)+
        }

        impl Default for $name {
            // Not each section is for options of the cluster.
            #[allow(unused_variables)]
            fn default() -> Self {
                let $links = ractor_cluster::link::LinkOptions::default();
                Self {
                    $($key: $crate::config::Setting::default(
                        $crate::config::declare::settings!(@default $from $source),
                    ),)+
                }
            }
        }

        impl $name {
            /// The options of the cluster that have a key here.
            #[cfg(test)]
            #[allow(dead_code)]
            pub(super) const OPTIONS: &'static [Option<&'static str>] =
                &[$($crate::config::declare::settings!(@option $from $source),)+];

            /// Reads the section; what it does not say is the default.
            pub(super) fn read(
                reader: &mut $crate::config::reader::Reader<'_>,
                section: &mut $crate::config::reader::Section<'_, '_>,
            ) -> Self {
                let mut settings = Self::default();
                $(if let Some(found) = section.setting::<$kind>(reader, stringify!($key)) {
                    settings.$key = found.map($crate::config::declare::Kind::kept);
                })+
                settings
            }

            /// Sets the options of the cluster.
            #[allow(unused_mut, dead_code)]
            pub(crate) fn apply(
                &self,
                mut $links: ractor_cluster::link::LinkOptions,
            ) -> ractor_cluster::link::LinkOptions {
                $($crate::config::declare::settings!(@apply $from $source, *self.$key);)+
                $links
            }
        }

        impl std::fmt::Display for $name {
            /// A line for each key, and the variable that a value is from.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $({
                    let shown = <$kind as $crate::config::declare::Kind>::shown(&self.$key);
                    writeln!(f, "  {}: {}", stringify!($key), self.$key.with(shown))?;
                })+
                Ok(())
            }
        }
    };
    (@option link $option:expr) => { Some(stringify!($option)) };
    (@option own $default:expr) => { None };
    (@default link $option:expr) => { $crate::config::declare::Linked::value(&$option) };
    (@default own $default:expr) => { $default };
    (@apply link $option:expr, $value:expr) => {
        $crate::config::declare::Linked::set(&mut $option, $value)
    };
    (@apply own $default:expr, $value:expr) => {};
}

pub(super) use settings;

#[cfg(test)]
mod tests {
    use ractor_cluster::link::{Limits as PeerLimits, LinkOptions};

    use crate::config::{Limits, Tuning};

    /// Options that a configuration sets by other sections: `node.id`, `node.transport`, `listen`,
    /// `node.limits`, `security`, `nodes`, `traces` and `node.shm`. A node that does not listen is for
    /// applications with a transport of their own.
    const ELSEWHERE: [&str; 10] = [
        "number",
        "preference",
        "unix",
        "listens",
        "listeners",
        "limits",
        "security",
        "peers",
        "propagator",
        "local_transport",
    ];

    #[test]
    fn each_option_of_the_cluster_has_a_key() {
        let declared = [Limits::OPTIONS, Tuning::OPTIONS].concat();
        let of_links = LinkOptions::NAMES.iter().filter(|name| !ELSEWHERE.contains(name));
        let of_links = of_links.map(|name| format!("links.{name}"));
        let of_peers = PeerLimits::NAMES.iter().map(|name| format!("links.limits.{name}"));
        for option in of_links.chain(of_peers) {
            assert!(declared.contains(&Some(&option)), "{option} has no key");
        }
    }
}
