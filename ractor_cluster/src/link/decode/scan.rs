//! Counts the lists of a frame on its wire form, without an allocation and before it is decoded.
//!
//! The scan knows the protocol (`schema.rs`, which the build makes of the `.proto` files): it looks
//! into the fields that are messages or lists and steps over all others, so that what applications
//! send is never taken for a message. It refuses a message or a list that is longer than what holds
//! it, also where prost would only notice that behind the elements.

use super::Undecodable;

/// What is to be known of a field; fields that are neither messages nor lists are not in the table.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// One message.
    Message(usize),
    /// A list of messages, and what an element costs.
    List(usize, usize),
    /// A list of texts or bytes, and what an element costs beside its bytes.
    #[allow(dead_code, reason = "the protocol has none at present")]
    Texts(usize),
    /// A list of numbers, packed or not, and what an element costs.
    Numbers(usize),
}

/// The bytes that an element takes beside those of its texts. A list that grows takes up to twice
/// its size, and a small allocation has a smallest size.
const fn cost(size: usize, texts: usize) -> usize {
    const SMALLEST: usize = 32;
    2 * size + texts * SMALLEST
}

include!(concat!(env!("OUT_DIR"), "/schema.rs"));

/// How deep messages, and groups of unknown fields, may contain each other. Those of the protocol
/// reach seven.
const DEPTH: usize = 16;

/// The bytes of the longest number.
const LONGEST: usize = 10;

/// The lists of a frame.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) elements: usize,
    /// The bytes that they take when they are decoded, beside those of the frame.
    pub(super) cost: usize,
}

/// What encloses the next field, and where it ends.
#[derive(Clone, Copy)]
enum Level {
    Message(usize),
    Group(u32),
}

/// Counts the lists of a frame.
///
/// # Errors
/// They have more than `most` elements, messages contain each other too deep, or it is no message.
pub(super) fn scan(frame: &[u8], most: usize) -> Result<Found, Undecodable> {
    walk(frame, most, usize::MAX)?.ok_or_else(|| malformed("it has more fields than bytes"))
}

/// As [`scan`], of a frame that has at most so many fields; `None` for one that has more, which
/// takes long to decode even if it has no lists.
pub(super) fn walk(frame: &[u8], most: usize, fields: usize) -> Result<Option<Found>, Undecodable> {
    let (mut found, mut left) = (Found::default(), fields);
    let mut add = |elements: usize, cost: usize| {
        found.elements += elements;
        found.cost += elements * cost;
        if found.elements > most {
            return Err(Undecodable::TooLong { most });
        }
        Ok(())
    };
    let mut levels = [(Level::Message(ROOT), frame.len()); DEPTH];
    let (mut depth, mut at) = (0, 0);
    loop {
        let (level, end) = levels[depth];
        if at == end {
            match level {
                Level::Group(_) => return Err(malformed("a group does not end")),
                Level::Message(_) if depth == 0 => return Ok(Some(found)),
                Level::Message(_) => depth -= 1,
            }
            continue;
        }
        let Some(fewer) = left.checked_sub(1) else { return Ok(None) };
        left = fewer;
        let within = &frame[..end];
        let (number, kind) = key(within, &mut at)?;
        let shape = match level {
            Level::Message(of) => shape(of, number),
            Level::Group(_) => None,
        };
        let inner = match (kind, shape) {
            (0, shape) => {
                varint(within, &mut at)?;
                if let Some(Shape::Numbers(cost)) = shape {
                    add(1, cost)?;
                }
                None
            }
            (1, _) => {
                skip(within, &mut at, 8)?;
                None
            }
            (5, _) => {
                skip(within, &mut at, 4)?;
                None
            }
            (2, shape) => {
                let length = varint(within, &mut at)?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let began = at;
                skip(within, &mut at, length)?;
                match shape {
                    Some(Shape::List(_, cost) | Shape::Texts(cost)) => add(1, cost)?,
                    Some(Shape::Numbers(cost)) => {
                        let packed = &within[began..at];
                        let Some(fewer) = left.checked_sub(packed.len() / LONGEST) else {
                            return Ok(None);
                        };
                        left = fewer;
                        // The last byte of a number alone is below 128.
                        add(packed.iter().filter(|byte| **byte < 0x80).count(), cost)?;
                    }
                    Some(Shape::Message(_)) | None => {}
                }
                match shape {
                    // There is nothing to be counted in one that holds neither messages nor lists.
                    Some(Shape::Message(of) | Shape::List(of, _)) if !MESSAGES[of].is_empty() => {
                        Some((Level::Message(of), std::mem::replace(&mut at, began)))
                    }
                    _ => None,
                }
            }
            (3, _) => Some((Level::Group(number), end)),
            (4, _) => match level {
                Level::Group(begun) if begun == number => {
                    depth -= 1;
                    None
                }
                _ => return Err(malformed("a group ends that did not begin")),
            },
            _ => return Err(malformed("a field is of no type")),
        };
        if let Some(inner) = inner {
            depth += 1;
            *levels.get_mut(depth).ok_or(Undecodable::TooDeep)? = inner;
        }
    }
}

fn malformed(what: &str) -> Undecodable {
    Undecodable::Malformed(what.to_owned())
}

fn shape(message: usize, number: u32) -> Option<Shape> {
    MESSAGES[message].iter().find(|(of, _)| *of == number).map(|(_, shape)| *shape)
}

/// A field's number and the type that it has on the wire.
fn key(bytes: &[u8], at: &mut usize) -> Result<(u32, u32), Undecodable> {
    let key = u32::try_from(varint(bytes, at)?).map_err(|_| malformed("a field has no number"))?;
    match key >> 3 {
        0 => Err(malformed("a field has no number")),
        number => Ok((number, key & 7)),
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Undecodable> {
    let mut number = 0;
    for (count, byte) in bytes[*at..].iter().take(10).enumerate() {
        if count == 9 && *byte > 1 {
            break;
        }
        number |= u64::from(byte & 0x7f) << (7 * count);
        if *byte < 0x80 {
            *at += count + 1;
            return Ok(number);
        }
    }
    Err(malformed("a number does not end"))
}

fn skip(bytes: &[u8], at: &mut usize, length: usize) -> Result<(), Undecodable> {
    match at.checked_add(length) {
        Some(end) if end <= bytes.len() => {
            *at = end;
            Ok(())
        }
        _ => Err(malformed("a field is longer than what holds it")),
    }
}

#[cfg(test)]
mod tests;
