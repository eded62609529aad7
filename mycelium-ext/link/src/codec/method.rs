//! The numbers of methods, as the sender gives them and the receiver learns them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{CodecError, MAX_NAME, MAX_NAMES};

/// The numbers that the sender of a lane has given.
#[derive(Debug, Default)]
pub struct Numbers {
    numbers: HashMap<Arc<str>, u64>,
    /// The one that was asked for last: a stream of messages has the same.
    last: Option<(Arc<str>, u64)>,
}

/// How a method is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method<'a> {
    Named(&'a str),
    Defined(&'a str),
    Numbered(u64),
}

impl Numbers {
    /// The number of the method that was asked for last, if it is this one.
    #[inline]
    pub(super) fn last(&self, name: &str) -> Option<u64> {
        self.last.as_ref().filter(|(last, _)| **last == *name).map(|(_, number)| *number)
    }

    pub(super) fn of<'a>(&mut self, name: &'a str) -> Method<'a> {
        if let Some(number) = self.last(name) {
            return Method::Numbered(number);
        }
        if let Some((name, number)) = self.numbers.get_key_value(name) {
            self.last = Some((name.clone(), *number));
            return Method::Numbered(*number);
        }
        if name.len() > MAX_NAME || self.numbers.len() >= MAX_NAMES {
            return Method::Named(name);
        }
        let number = self.numbers.len() as u64;
        self.numbers.insert(name.into(), number);
        Method::Defined(name)
    }
}

/// The names that the receiver of a lane has learnt.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<Box<str>>,
}

impl Names {
    pub(super) fn define(&mut self, name: &str) -> Result<(), CodecError> {
        if name.len() > MAX_NAME || self.names.len() >= MAX_NAMES {
            return Err(CodecError::Names);
        }
        self.names.push(name.into());
        Ok(())
    }

    #[inline]
    pub(super) fn get(&self, number: u64) -> Result<&str, CodecError> {
        let name = usize::try_from(number).ok().and_then(|number| self.names.get(number));
        name.map(|name| &**name).ok_or(CodecError::Unnamed(number))
    }

    pub(super) fn last(&self) -> &str {
        self.names.last().map_or("", |name| name)
    }
}
