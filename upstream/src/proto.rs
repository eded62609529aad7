//! The items of a protobuf file: `message`, `enum`, `oneof` and `service` with their bodies.
//!
//! Protobuf's tokens are Rust's, as far as upstream uses them, so that the same lexer serves.

use crate::items::Item;
use crate::tokens::Token;

const KINDS: [&str; 4] = ["message", "enum", "oneof", "service"];

/// The items among `tokens`.
pub(crate) fn items(tokens: &[Token]) -> Vec<Item> {
    let mut found = Vec::new();
    let mut rest = tokens;
    while let Some((first, tail)) = rest.split_first() {
        match tail {
            [name, open, ..] if KINDS.contains(&first.text.as_str()) && open.text == "{" => {
                let Some(length) = closing(&tail[1..]) else {
                    return found;
                };
                let (inner, close) = (&tail[2..1 + length], &tail[1 + length]);
                found.push(Item {
                    name: format!("{} {}", first.text, name.text),
                    attributes: Vec::new(),
                    range: first.range().start..close.range().end,
                    body: Some(open.range().end..close.range().start),
                    listed: false,
                    children: items(inner),
                });
                rest = &tail[2 + length..];
            }
            _ => rest = tail,
        }
    }
    found
}

/// The index of the `}` that closes the `{` at the start of `tokens`.
fn closing(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_items_are_found_with_their_bodies() {
        let source = "syntax = \"proto3\";\n// it's\nmessage M {\n  oneof msg {\n    A a = 1;\n  }\n  enum E { Z = 0; }\n}\nmessage N {}\n";
        let found = items(&crate::tokens::lex(source).expect("protobuf"));
        let names: Vec<_> = found.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["message M", "message N"]);
        let inner: Vec<_> = found[0].children.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(inner, ["oneof msg", "enum E"]);
        let body = found[0].children[0].body.clone().expect("braces");
        assert_eq!(source[body].trim(), "A a = 1;");
    }
}
