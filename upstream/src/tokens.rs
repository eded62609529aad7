//! Source text as tokens: what makes patches survive reformatting.
//!
//! Two texts are the same here when their tokens are, whatever their layout and comments. A
//! comma right before a closing bracket does not count either, since formatters add and remove
//! it (so that `(T,)` and `(T)` are the same here, which no compiler would let pass). Doc
//! comments do count: they are attributes.

use std::ops::Range;
use std::str::FromStr;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

use crate::archive::sha256;

/// One token, with the bytes of the source that it stands on.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its text; a bracket is a token of its own.
    pub text: String,
    /// Whether it and the next token make one operator, as `=` and `=` in `==`.
    pub joined: bool,
    span: Span,
}

impl Token {
    fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), joined: false, span }
    }

    /// Its bytes in the source; only for the thread that read it.
    ///
    /// Counted when it is asked for: to count the bytes of all tokens takes longer than to read
    /// them, and few are looked at.
    pub fn range(&self) -> Range<usize> {
        self.span.byte_range()
    }
}

/// The beginnings of Rust's operators of several characters. Not `>>`, which more often closes
/// two brackets.
const OPERATORS: [&str; 19] = [
    "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=", "^=", "&=", "|=", "<<", "->",
    "=>", "::", "..",
];

/// The tokens of `source`, brackets opened.
///
/// # Errors
/// The lexer's words, for instance on unbalanced brackets.
pub fn lex(source: &str) -> Result<Vec<Token>, String> {
    Ok(flatten(stream(source)?))
}

/// The tokens of `source`, brackets closed.
///
/// # Errors
/// As [`lex`].
pub(crate) fn stream(source: &str) -> Result<TokenStream, String> {
    TokenStream::from_str(source).map_err(|error| error.to_string())
}

/// The tokens of a stream that was parsed from text.
pub(crate) fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut tokens = Vec::new();
    push(stream, &mut tokens);
    tokens
}

fn push(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => {
                        push(group.stream(), tokens);
                        continue;
                    }
                };
                tokens.push(Token::new(open, group.span_open()));
                push(group.stream(), tokens);
                drop_comma(tokens);
                tokens.push(Token::new(close, group.span_close()));
            }
            other => {
                let (text, span) = (other.to_string(), other.span());
                if text == ">" {
                    drop_comma(tokens);
                }
                // A lifetime comes as a quote and a name.
                match tokens.last_mut().filter(|last| last.text == "'") {
                    Some(quote) => {
                        quote.text.push_str(&text);
                        quote.span = quote.span.join(span).unwrap_or(span);
                    }
                    None => {
                        let token = Token::new(text, span);
                        join(tokens.last_mut(), &token);
                        tokens.push(token);
                    }
                }
            }
        }
    }
}

/// Notes on `last` whether `next` makes an operator with it.
fn join(last: Option<&mut Token>, next: &Token) {
    if let Some(last) = last {
        last.joined = last.text.len() == 1
            && next.text.len() == 1
            && OPERATORS.contains(&[&*last.text, &*next.text].concat().as_str())
            && last.range().end == next.range().start;
    }
}

/// Forgets a comma that the next token, a closing bracket, makes a trailing one.
fn drop_comma(tokens: &mut Vec<Token>) {
    if tokens.last().is_some_and(|last| last.text == ",") {
        tokens.pop();
    }
}

/// Every place where `needle` stands in `hay`, as byte ranges of `hay`'s source.
pub fn find(hay: &[Token], needle: &[Token]) -> Vec<Range<usize>> {
    if needle.is_empty() {
        return Vec::new();
    }
    // An operator matches as a whole: `= 0` does not stand in `== 0`.
    let whole = |start: usize, window: &[Token]| {
        let torn = start > 0 && hay[start - 1].joined;
        !torn && !window.last().is_some_and(|last| last.joined)
    };
    let same = |a: &Token, b: &Token| a.text == b.text && a.joined == b.joined;
    hay.windows(needle.len())
        .enumerate()
        .filter(|(start, window)| {
            whole(*start, window) && window.iter().zip(needle).all(|(a, b)| same(a, b))
        })
        .map(|(_, window)| extent(window))
        .collect()
}

/// The bytes from the first to the last of `tokens`; empty at 0 when there are none.
pub fn extent(tokens: &[Token]) -> Range<usize> {
    // The tokens of a doc comment all span the comment, so neither end is simply the first's
    // start or the last's end.
    let ranges = tokens.iter().map(Token::range);
    ranges.reduce(|all, one| all.start.min(one.start)..all.end.max(one.end)).unwrap_or(0..0)
}

/// The tokens that lie in `range`.
pub fn within<'a>(tokens: &'a [Token], range: &Range<usize>) -> &'a [Token] {
    let start = tokens.partition_point(|token| token.range().start < range.start);
    let end = tokens.partition_point(|token| token.range().start < range.end);
    &tokens[start..end.max(start)]
}

/// The tokens with one space between them, operators in one piece: a form to compare and to
/// print.
pub fn canonical(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (index, token) in tokens.iter().enumerate() {
        text.push_str(&token.text);
        if !token.joined && index + 1 < tokens.len() {
            text.push(' ');
        }
    }
    // ` :: ` with spaces separates the segments of an address.
    text.replace(" :: ", "::")
}

/// A short hash of the tokens (64 bits of SHA-256, in hexadecimal), to notice that upstream
/// changed what we stand on.
pub fn fingerprint(tokens: &[Token]) -> String {
    let mut hash = sha256(canonical(tokens).as_bytes());
    hash.truncate(16);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexed(text: &str) -> Vec<Token> {
        lex(text).expect("balanced")
    }

    #[test]
    fn layout_comments_and_trailing_commas_do_not_count() {
        let wide = lexed("fn f(a: u8, b: u8) -> X<A, B> { X { a, b } }");
        let tall = lexed(
            "fn f(\n  a: u8, // one\n  b: u8,\n) -> X<\n A, B,\n> {\n  X { a, b, } /* two */\n}",
        );
        assert_eq!(fingerprint(&wide), fingerprint(&tall));
        assert_ne!(
            fingerprint(&wide),
            fingerprint(&lexed("fn f(a: u8, b: u8) -> X<A, B> { X { b, a } }"))
        );
    }

    #[test]
    fn ranges_are_bytes_of_the_source() {
        let source = "/* é */ let ü = call(\"ñ\", 1);";
        let tokens = lexed(source);
        let found = find(&tokens, &lexed("call ( \"ñ\" , 1 )"));
        assert_eq!(found.len(), 1);
        assert_eq!(&source[found[0].clone()], "call(\"ñ\", 1)");
    }

    #[test]
    fn the_extent_of_an_item_covers_its_doc_comment() {
        let source = "use a;\n/// Words,\n/// more.\nfn f() {}\n";
        let tokens = lexed(source);
        let item = &tokens[3..];
        assert_eq!(&source[extent(item)], "/// Words,\n/// more.\nfn f() {}");
    }

    #[test]
    fn operators_are_found_as_a_whole() {
        let tokens = lexed("if n == 0 && a::b(&&x) { y = 0; z: Vec<Vec<u8>> }");
        assert_eq!(find(&tokens, &lexed("= 0")).len(), 1);
        assert_eq!(find(&tokens, &lexed("== 0")).len(), 1);
        assert_eq!(find(&tokens, &lexed("&x")).len(), 0);
        assert_eq!(find(&tokens, &lexed("z: Vec")).len(), 1);
        assert_eq!(find(&tokens, &lexed(": b")).len(), 0);
        assert_eq!(find(&tokens, &lexed("Vec<u8>")).len(), 1);
        assert_ne!(fingerprint(&lexed("a & &b")), fingerprint(&lexed("a && b")));
    }

    #[test]
    fn a_lifetime_is_one_token() {
        let tokens = lexed("impl<'a> Drop for Admission<'_> {}");
        assert_eq!(canonical(&tokens), "impl < 'a > Drop for Admission < '_ > { }");
        assert_eq!(tokens[2].range(), 5..7);
    }

    #[test]
    fn anchors_are_found_in_macro_arguments() {
        let tokens = lexed("select! { a = x.recv() => go(a), b = y.recv() => go(b) }");
        assert_eq!(find(&tokens, &lexed("y.recv()")).len(), 1);
        assert_eq!(find(&tokens, &lexed("recv()")).len(), 2);
        assert!(find(&tokens, &lexed("")).is_empty());
    }
}
