//! Puts several changes into one text at once.

use std::ops::Range;

use crate::error::Place;
use crate::{Error, Result};

/// What goes first where several changes meet at one byte: what belongs behind the thing that
/// ends there, then the start and the end of an empty body, then what belongs before the thing
/// that starts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    After,
    Start,
    End,
    Before,
    Replace,
}

/// A change of one stretch of text; an insertion has an empty range.
#[derive(Debug, Clone)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
    pub(crate) rank: Rank,
    pub(crate) place: Place,
}

/// Applies `splices` to `source`. Insertions of one rank at the same byte keep
/// their order.
///
/// # Errors
/// [`Error::Overlap`] when two of them change the same text, or one inserts into what another
/// replaces.
pub(crate) fn apply(source: &str, mut splices: Vec<Splice>) -> Result<String> {
    // Stable, and insertions before what is replaced from the same byte on.
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end, splice.rank));
    let mut result = String::with_capacity(source.len());
    let mut done = 0;
    let mut last: Option<&Splice> = None;
    for splice in &splices {
        if splice.range.start < done {
            let first = last.expect("something moved `done`");
            return Err(Error::Overlap {
                first: Box::new(first.place.clone()),
                second: Box::new(splice.place.clone()),
            });
        }
        result.push_str(&source[done..splice.range.start]);
        result.push_str(&splice.text);
        if splice.range.end > done || last.is_none() {
            last = Some(splice);
        }
        done = splice.range.end;
    }
    result.push_str(&source[done..]);
    Ok(result)
}
