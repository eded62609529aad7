//! A value that knows where it is from.

use std::fmt;
use std::ops::Deref;

use super::error::Place;

/// A value of the configuration, and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    value: T,
    origin: Origin,
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It was not set.
    Default,
    /// The program set it.
    Program,
    /// It is written down.
    Written(Place),
}

impl<T> Setting<T> {
    pub(super) const fn written(value: T, place: Place) -> Self {
        Self { value, origin: Origin::Written(place) }
    }

    pub(super) const fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    pub(super) fn map<U>(self, f: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: f(self.value), origin: self.origin }
    }

    /// Another value of the same origin.
    pub(super) fn with<U>(&self, value: U) -> Setting<U> {
        Setting { value, origin: self.origin.clone() }
    }

    /// Where it is written, if it is.
    pub(super) const fn place(&self) -> Option<&Place> {
        match &self.origin {
            Origin::Default | Origin::Program => None,
            Origin::Written(place) => Some(place),
        }
    }

    /// Where it is from.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> From<T> for Setting<T> {
    /// A value that the program sets.
    fn from(value: T) -> Self {
        Self { value, origin: Origin::Program }
    }
}

impl<T> Deref for Setting<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Setting<T> {
    /// The value; and the variable, if it is from one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value)?;
        match &self.origin {
            Origin::Written(Place::Environment { variable }) => write!(f, " (from {variable})"),
            _ => Ok(()),
        }
    }
}
