//! Names an item: `impl ActorProperties :: fn send_message_unchecked`.
//!
//! Segments are separated by ` :: ` (with the spaces, since a path such as `fmt::Display` has
//! none). A segment is written as the item is in the source, without visibility and without
//! the generics that an `impl` declares; attributes in front of it name the twin that carries
//! them: `trait Message :: #[cfg(feature = "cluster")] fn from_boxed`.

use crate::tokens::{self, Token};

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) segments: Vec<Segment>,
}

/// One step: an item's name, and attributes that it has to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) attributes: Vec<String>,
    pub(crate) name: String,
}

impl Address {
    /// Parses an address.
    ///
    /// # Errors
    /// An empty segment, or text that is no Rust.
    pub fn parse(text: &str) -> Result<Self, String> {
        let segments =
            text.split(" :: ").map(Segment::parse).collect::<Result<Vec<_>, String>>()?;
        Ok(Self { segments })
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens::lex(text)?;
        let mut rest = tokens.as_slice();
        let mut attributes = Vec::new();
        while rest.first().is_some_and(|token| token.text == "#") {
            let end = attribute_end(rest)
                .ok_or_else(|| format!("`{}` has an attribute without brackets", text.trim()))?;
            attributes.push(tokens::canonical(&rest[..end]));
            rest = &rest[end..];
        }
        if rest.is_empty() {
            return Err(format!("`{}` names no item", text.trim()));
        }
        Ok(Self { attributes, name: tokens::canonical(rest) })
    }
}

/// How many tokens the attribute takes that `tokens` starts with.
fn attribute_end(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(1) {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (token.text == "]").then_some(index + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_keep_paths_and_attributes_apart() {
        let address = Address::parse(
            r#"impl fmt::Display for ActorId :: #[cfg(feature = "cluster")] #[inline] fn fmt"#,
        )
        .expect("an address");
        assert_eq!(address.segments[0].name, "impl fmt::Display for ActorId");
        assert_eq!(
            address.segments[1].attributes,
            ["# [ cfg ( feature = \"cluster\" ) ]", "# [ inline ]"]
        );
        assert_eq!(address.segments[1].name, "fn fmt");
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert!(Address::parse("").is_err());
        assert!(Address::parse("fn a :: ").is_err());
        assert!(Address::parse("#[cfg(test)]").is_err());
        assert!(Address::parse("# fn").is_err());
    }
}
