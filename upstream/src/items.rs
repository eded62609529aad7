//! The items of a source file, as a tree of names and byte ranges.

use std::ops::Range;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;

use crate::address::{Address, Segment};
use crate::proto;
use crate::tokens::{self, Token};

/// An item: what an address can name.
#[derive(Debug, Clone)]
pub struct Item {
    /// As an address writes it, in [`tokens::canonical`] form.
    pub name: String,
    /// Its outer attributes, in the same form.
    pub attributes: Vec<String>,
    /// All of it: attributes, visibility, and the `;` or `}` that ends it.
    pub range: Range<usize>,
    /// What stands between its braces.
    pub body: Option<Range<usize>>,
    /// Whether a comma separates it from its neighbours (fields and variants).
    pub listed: bool,
    /// The items inside it.
    pub children: Vec<Item>,
}

/// The items of `source`, which is Rust or, by the ending of `file`, protobuf.
///
/// # Errors
/// The parser's words.
pub fn parse(file: &str, source: &str) -> Result<Vec<Item>, String> {
    let stream = tokens::stream(source)?;
    let tokens = tokens::flatten(stream.clone());
    of(file, stream, &tokens)
}

/// The items of a source that is lexed already: `tokens` are those of `stream`.
pub(crate) fn of(file: &str, stream: TokenStream, tokens: &[Token]) -> Result<Vec<Item>, String> {
    if file.ends_with(".proto") {
        return Ok(proto::items(tokens));
    }
    let parsed: syn::File = syn::parse2(stream).map_err(|error| {
        let at = error.span().start();
        format!("{error} (line {}, column {})", at.line, at.column + 1)
    })?;
    Ok(parsed.items.iter().filter_map(item).collect())
}

/// Every item that `address` names.
pub fn resolve<'a>(items: &'a [Item], address: &Address) -> Vec<&'a Item> {
    let Some((last, parents)) = address.segments.split_last() else {
        return Vec::new();
    };
    let mut level: Vec<&Item> = items.iter().collect();
    for segment in parents {
        level = level
            .into_iter()
            .filter(|item| matches(item, segment))
            .flat_map(|item| &item.children)
            .collect();
    }
    level.into_iter().filter(|item| matches(item, last)).collect()
}

/// A namesake below another item is as far as one below the right item whose name differs by so
/// many letters.
const ELSEWHERE: usize = 2;

/// The full addresses of the items whose own name is the last one of `address` or nearest to
/// it, for error messages; five at the most.
pub fn nearest(items: &[Item], address: &Address) -> Vec<String> {
    let Some(wanted) = address.segments.last() else {
        return Vec::new();
    };
    let parents = &address.segments[..address.segments.len() - 1];
    let home: String = parents.iter().map(|parent| format!("{} :: ", parent.name)).collect();
    let mut all = Vec::new();
    collect(items, "", &mut all);
    let mut scored: Vec<(usize, String)> = all
        .into_iter()
        .map(|(path, item)| {
            let far = distance(&item.name, &wanted.name);
            let is_home = path.strip_suffix(&item.name) == Some(home.as_str());
            let attributes = item.attributes.join(" ");
            let written =
                if item.attributes.is_empty() { path } else { format!("{path}    ({attributes})") };
            (far, if is_home { far } else { far + ELSEWHERE }, written)
        })
        .filter(|(far, ..)| *far <= wanted.name.chars().count() / 2)
        .map(|(_, score, written)| (score, written))
        .collect();
    scored.sort();
    scored.into_iter().take(5).map(|(_, path)| path).collect()
}

fn collect<'a>(items: &'a [Item], prefix: &str, all: &mut Vec<(String, &'a Item)>) {
    for item in items {
        let path = format!("{prefix}{}", item.name);
        collect(&item.children, &format!("{path} :: "), all);
        all.push((path, item));
    }
}

fn matches(item: &Item, segment: &Segment) -> bool {
    item.name == segment.name
        && segment.attributes.iter().all(|wanted| item.attributes.contains(wanted))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn item(item: &syn::Item) -> Option<Item> {
    use syn::Item as I;
    Some(match item {
        I::Fn(x) => node(x, &x.attrs, named("fn", &x.sig.ident)).body(braces(&x.block.brace_token)),
        I::Mod(x) => {
            let node = node(x, &x.attrs, named("mod", &x.ident));
            match &x.content {
                Some((brace, items)) => {
                    node.body(braces(brace)).children(items.iter().filter_map(self::item))
                }
                None => node,
            }
        }
        I::Impl(x) => {
            let mut name = vec!["impl".to_owned()];
            if let Some((path, _)) = &x.trait_ {
                name.push(words(path));
                name.push("for".to_owned());
            }
            name.push(words(&x.self_ty));
            node(x, &x.attrs, name.join(" "))
                .body(braces(&x.brace_token))
                .children(x.items.iter().filter_map(impl_item))
        }
        I::Trait(x) => node(x, &x.attrs, named("trait", &x.ident))
            .body(braces(&x.brace_token))
            .children(x.items.iter().filter_map(trait_item)),
        I::Struct(x) => fields(node(x, &x.attrs, named("struct", &x.ident)), &x.fields),
        I::Enum(x) => node(x, &x.attrs, named("enum", &x.ident))
            .body(braces(&x.brace_token))
            .children(x.variants.iter().map(|variant| {
                let node = node(variant, &variant.attrs, named("variant", &variant.ident));
                fields(node.listed(), &variant.fields)
            })),
        I::Union(x) => node(x, &x.attrs, named("union", &x.ident))
            .body(braces(&x.fields.brace_token))
            .children(x.fields.named.iter().enumerate().map(field)),
        I::Const(x) => node(x, &x.attrs, named("const", &x.ident)),
        I::Static(x) => node(x, &x.attrs, named("static", &x.ident)),
        I::Type(x) => node(x, &x.attrs, named("type", &x.ident)),
        I::TraitAlias(x) => node(x, &x.attrs, named("trait", &x.ident)),
        I::ExternCrate(x) => node(x, &x.attrs, named("extern crate", &x.ident)),
        I::Use(x) => node(x, &x.attrs, format!("use {}", words(&x.tree))),
        I::Macro(x) => match &x.ident {
            Some(ident) => node(x, &x.attrs, named("macro", ident)),
            None => node(x, &x.attrs, format!("{} !", words(&x.mac.path))),
        },
        _ => return None,
    })
}

fn impl_item(item: &syn::ImplItem) -> Option<Item> {
    use syn::ImplItem as I;
    Some(match item {
        I::Fn(x) => node(x, &x.attrs, named("fn", &x.sig.ident)).body(braces(&x.block.brace_token)),
        I::Const(x) => node(x, &x.attrs, named("const", &x.ident)),
        I::Type(x) => node(x, &x.attrs, named("type", &x.ident)),
        _ => return None,
    })
}

fn trait_item(item: &syn::TraitItem) -> Option<Item> {
    use syn::TraitItem as I;
    Some(match item {
        I::Fn(x) => {
            let node = node(x, &x.attrs, named("fn", &x.sig.ident));
            match &x.default {
                Some(block) => node.body(braces(&block.brace_token)),
                None => node,
            }
        }
        I::Const(x) => node(x, &x.attrs, named("const", &x.ident)),
        I::Type(x) => node(x, &x.attrs, named("type", &x.ident)),
        _ => return None,
    })
}

fn fields(node: Item, fields: &syn::Fields) -> Item {
    match fields {
        syn::Fields::Named(named) => node
            .body(braces(&named.brace_token))
            .children(named.named.iter().enumerate().map(field)),
        syn::Fields::Unnamed(unnamed) => {
            node.children(unnamed.unnamed.iter().enumerate().map(field))
        }
        syn::Fields::Unit => node,
    }
}

fn field((index, field): (usize, &syn::Field)) -> Item {
    let name = match &field.ident {
        Some(ident) => named("field", ident),
        None => format!("field {index}"),
    };
    node(field, &field.attrs, name).listed()
}

fn node(syntax: &impl ToTokens, attributes: &[syn::Attribute], name: String) -> Item {
    Item {
        name,
        attributes: attributes
            .iter()
            .filter(|attribute| matches!(attribute.style, syn::AttrStyle::Outer))
            .map(words)
            .collect(),
        range: syntax.span().byte_range(),
        body: None,
        listed: false,
        children: Vec::new(),
    }
}

impl Item {
    fn body(self, body: Range<usize>) -> Self {
        Self { body: Some(body), ..self }
    }

    fn children(self, children: impl Iterator<Item = Item>) -> Self {
        Self { children: children.collect(), ..self }
    }

    fn listed(self) -> Self {
        Self { listed: true, ..self }
    }
}

fn braces(brace: &syn::token::Brace) -> Range<usize> {
    brace.span.open().byte_range().end..brace.span.close().byte_range().start
}

fn named(kind: &str, ident: &syn::Ident) -> String {
    format!("{kind} {ident}")
}

fn words(syntax: &impl ToTokens) -> String {
    tokens::canonical(&tokens::flatten(syntax.to_token_stream()))
}
