//! Puts our files where upstream's stand, and makes crate roots that can be included.
//!
//! * A file of ours at the path of an upstream file *shadows* it: the `mod` declaration that
//!   leads there gets a `#[path]`, so that messages and debuggers open our file itself. The
//!   same goes for a file of ours that a patch declares in an upstream file.
//! * What a shadow leaves behind, its test modules and the child modules that it does not
//!   declare, becomes a *graft*: a file that the shadow includes.
//! * Upstream's items allow our lints, and the `mod` lines that lead to files of ours turn them on
//!   again: [`LINTS`].
//! * An included file cannot have inner attributes: those of a crate root are taken away, and
//!   its documentation is kept in `lib.md`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use proc_macro2::TokenStream;
use syn::Attribute;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;

use crate::edit::Source;
use crate::error::Place;
use crate::items::Item;
use crate::splice::{self, Rank, Splice};
use crate::{Error, Result, Tree};

/// The crate root, which is always ours and includes upstream's.
pub const ROOT: &str = "src/lib.rs";

/// Every lint that a file of ours is checked with, by its level: those of `[workspace.lints]`, and
/// `unused`, which is on by default.
///
/// Upstream's items allow them, and so does each module inside of an upstream item. A `mod` line
/// that leads to a file of ours turns them on again. A build out of a package alone cannot read
/// the workspace's manifest, so the list stands here too; a test compares both.
pub const LINTS: [(&str, &str); 11] = [
    ("warn", "clippy::all"),
    ("warn", "clippy::dbg_macro"),
    ("warn", "clippy::todo"),
    ("warn", "clippy::undocumented_unsafe_blocks"),
    ("warn", "clippy::unimplemented"),
    ("warn", "missing_debug_implementations"),
    ("warn", "missing_docs"),
    ("warn", "rust_2018_idioms"),
    ("warn", "unreachable_pub"),
    ("warn", "unused"),
    ("deny", "unsafe_code"),
];

/// The attributes of a `mod` line that leads to a file of ours.
fn our_lints() -> String {
    LINTS.map(|(level, lint)| format!("#[{level}({lint})]\n")).concat()
}

/// The attribute of every upstream item in the crate root, and of every upstream item that a
/// shadow takes over: our lints are not upstream's.
fn upstream_lints() -> String {
    format!("#[allow({}, rustdoc::all)]\n", LINTS.map(|(_, lint)| lint).join(", "))
}

/// Where the woven files will stand.
#[derive(Debug, Clone, Copy)]
pub enum Layout<'a> {
    /// Upstream's files below `woven`, ours where they are, below `package`: for building.
    Apart {
        /// The folder of our package.
        package: &'a Path,
        /// The folder that the woven tree is written to.
        woven: &'a Path,
    },
    /// All in one tree, as if upstream had written it: for export and review.
    Together,
}

/// Whether `file`, one of ours, replaces one of upstream's.
pub fn is_shadow(file: &str, stock: &Tree) -> bool {
    file != ROOT && stock.get(file).is_some()
}

/// The path of the graft of the shadow `file`.
pub fn graft_path(file: &str) -> String {
    format!("graft/{file}")
}

/// Weaves `ours`, the `src/…` files of our package, into `tree`, upstream's patched files.
///
/// # Errors
/// [`Error::Shadow`] for a shadow that does not include its graft or that nothing declares,
/// [`Error::Syntax`] for a file that cannot be parsed.
pub fn weave(tree: &mut Tree, ours: &Tree, layout: Layout<'_>) -> Result<()> {
    let shadows: Vec<&str> = ours
        .iter()
        .map(|(file, _)| file)
        .filter(|file| file.ends_with(".rs") && is_shadow(file, tree))
        .collect();
    for file in &shadows {
        graft(tree, ours, file, layout)?;
    }
    for file in &shadows {
        match layout {
            Layout::Apart { .. } => _ = tree.remove(file),
            Layout::Together => tree.insert(*file, ours.get(file).unwrap_or_default()),
        }
    }
    // What is not Rust is read where upstream's build looks for it.
    for (file, content) in ours.iter().filter(|(file, _)| !file.ends_with(".rs")) {
        tree.insert(file, content);
    }
    if let Layout::Apart { package, .. } = layout {
        redirect(tree, ours, &shadows, package)?;
        for (file, text) in crate_roots(tree) {
            open_root(tree, &file, &text)?;
        }
    }
    Ok(())
}

/// What a shadow of `source` leaves behind: the ranges of its test modules, inline or not, and
/// of the declarations of child modules that `declared` does not name.
pub fn left_behind<'s>(source: &'s Source<'_>, declared: &[Item]) -> Vec<&'s Item> {
    let is_module = |item: &&Item| item.name.starts_with("mod ");
    source
        .items
        .iter()
        .filter(is_module)
        .filter(|item| {
            let known = declared.iter().any(|ours| ours.name == item.name);
            is_test(item) || (item.body.is_none() && !known)
        })
        .collect()
}

/// Whether an attribute keeps the item out of everything but tests.
pub fn is_test(item: &Item) -> bool {
    item.attributes.iter().any(|attribute| {
        let words: Vec<&str> = attribute.split(' ').collect();
        let is_cfg = words.get(2) == Some(&"cfg");
        is_cfg
            && words.iter().enumerate().any(|(at, word)| {
                *word == "test" && words[..at].last_chunk() != Some(&["not", "("])
            })
    })
}

/// Makes the graft of the shadow `file`, and checks that the shadow takes it.
fn graft(tree: &mut Tree, ours: &Tree, file: &str, layout: Layout<'_>) -> Result<()> {
    let text = tree.text(file).unwrap_or_default();
    let source = Source::parse(file, text)?;
    let shadow = Source::parse(file, ours.text(file).unwrap_or_default())?;
    let mut graft = String::new();
    for item in left_behind(&source, &shadow.items) {
        if let Layout::Apart { package, woven } = layout {
            let mut lints = upstream_lints();
            if item.body.is_none() {
                let child = child_file(tree, file, item).ok_or_else(|| Error::Shadow {
                    file: file.to_owned(),
                    why: format!("upstream's `{}` has no file", item.name),
                })?;
                // The child may be shadowed as well.
                let is_ours = ours.get(&child).is_some();
                if is_ours {
                    lints = our_lints();
                }
                let root = if is_ours { package } else { woven };
                graft.push_str(&path_attribute(&root.join(child)));
            }
            graft.push_str(&lints);
        }
        graft.push_str(&text[item.range.clone()]);
        graft.push('\n');
    }
    if graft.is_empty() {
        return Ok(());
    }
    let path = graft_path(file);
    let mention = format!("{:?}", format!("/upstream/{path}"));
    if !shadow.tokens.iter().any(|token| token.text == mention) {
        return Err(Error::Shadow {
            file: file.to_owned(),
            why: format!(
                "upstream's tests and child modules are not taken over; end the file with\n    \
                 include!(concat!(env!(\"OUT_DIR\"), {mention}));"
            ),
        });
    }
    tree.insert(path, graft);
    Ok(())
}

/// Points the `mod` declarations of upstream's files to our files.
fn redirect(tree: &mut Tree, ours: &Tree, shadows: &[&str], package: &Path) -> Result<()> {
    // By parent: each parent is parsed once.
    let mut children: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
    for (file, _) in ours.iter().filter(|(file, _)| *file != ROOT && file.ends_with(".rs")) {
        // A shadowed parent declares its children itself, and a file of ours without a parent
        // upstream is declared by another file of ours.
        if let Some((parent, module)) = parent(file, tree) {
            children.entry(parent).or_default().push((file, module));
        }
    }
    for (parent, children) in children {
        let text = tree.text(&parent).unwrap_or_default();
        let source = Source::parse(&parent, text)?;
        let mut splices = Vec::new();
        for (file, module) in children {
            let name = format!("mod {module}");
            // More than one where `cfg` chooses.
            let mut declarations = source
                .items
                .iter()
                .filter(|item| item.name == name && item.body.is_none())
                .peekable();
            if declarations.peek().is_none() && shadows.contains(&file) {
                return Err(Error::Shadow {
                    file: file.to_owned(),
                    why: format!("upstream's {parent} does not declare `{name};`"),
                });
            }
            let attributes = format!("{}{}", our_lints(), path_attribute(&package.join(file)));
            splices.extend(
                declarations
                    .map(|item| cut(&parent, item.range.start..item.range.start, &attributes)),
            );
        }
        let woven = splice::apply(text, splices)?;
        tree.insert(parent, woven);
    }
    Ok(())
}

/// The upstream file that would declare `file`, and the module's name there.
fn parent(file: &str, tree: &Tree) -> Option<(String, String)> {
    let stem = file.strip_suffix(".rs")?;
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    let (folder, module) = stem.rsplit_once('/')?;
    let candidates = match folder {
        "src" => vec![ROOT.to_owned()],
        _ => vec![format!("{folder}.rs"), format!("{folder}/mod.rs")],
    };
    let parent = candidates.into_iter().find(|parent| tree.get(parent).is_some())?;
    Some((parent, module.to_owned()))
}

/// The file of the module that `item` declares in `file`.
pub fn child_file(tree: &Tree, file: &str, item: &Item) -> Option<String> {
    let name = item.name.strip_prefix("mod ")?;
    let stem = file.strip_suffix(".rs")?;
    let folder = if file == ROOT { "src" } else { stem.strip_suffix("/mod").unwrap_or(stem) };
    [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]
        .into_iter()
        .find(|child| tree.get(child).is_some())
}

fn path_attribute(path: &Path) -> String {
    format!("#[path = {:?}]\n", path.display().to_string())
}

/// The library's root and those of upstream's tests, examples and benches.
fn crate_roots(tree: &Tree) -> Vec<(String, String)> {
    let is_root = |file: &str| {
        let target = ["tests/", "examples/", "benches/"]
            .iter()
            .find_map(|folder| file.strip_prefix(folder))
            .is_some_and(|rest| rest.ends_with(".rs") && !rest.contains('/'));
        file == ROOT || target
    };
    tree.iter()
        .filter(|(file, _)| is_root(file))
        .filter_map(|(file, _)| Some((file.to_owned(), tree.text(file)?.to_owned())))
        .collect()
}

/// Takes the inner attributes of a crate root away, keeping its documentation in `lib.md`.
fn open_root(tree: &mut Tree, file: &str, text: &str) -> Result<()> {
    let lints = if file == ROOT { upstream_lints() } else { String::new() };
    let opened = open(file, text, &lints)?;
    if file == ROOT {
        tree.insert("lib.md", opened.documentation);
    }
    tree.insert(file, opened.items);
    Ok(())
}

/// A crate root in its parts.
#[derive(Debug)]
pub struct Opened {
    /// The text of its inner documentation.
    pub documentation: String,
    /// All but its inner attributes.
    pub items: String,
}

/// Splits the crate root `text`, which is that of `file`, into its documentation and its items,
/// and puts the attributes `lints` in front of each item.
///
/// # Errors
/// [`Error::Syntax`] for a root that cannot be parsed.
pub fn open(file: &str, text: &str, lints: &str) -> Result<Opened> {
    let wrong = |error: syn::Error| Error::Syntax { file: file.to_owned(), why: error.to_string() };
    let parse = |input: ParseStream<'_>| {
        Ok((input.call(Attribute::parse_inner)?, input.parse::<TokenStream>()?))
    };
    let (attributes, rest) = parse.parse_str(text).map_err(wrong)?;
    let mut documentation = String::new();
    let mut splices = Vec::new();
    for attribute in &attributes {
        if let Some(line) = doc_line(attribute) {
            documentation.push_str(line.strip_prefix(' ').unwrap_or(&line));
            documentation.push('\n');
        }
        splices.push(cut(file, attribute.span().byte_range(), ""));
    }
    if !lints.is_empty() {
        for item in syn::parse2::<syn::File>(rest).map_err(wrong)?.items {
            let start = item.span().byte_range().start;
            splices.push(cut(file, start..start, lints));
        }
    }
    Ok(Opened { documentation, items: splice::apply(text, splices)? })
}

fn cut(file: &str, range: Range<usize>, text: &str) -> Splice {
    let place = Place {
        patch: "(crate root)".to_owned(),
        edit: 0,
        file: file.to_owned(),
        item: None,
        anchor: None,
    };
    let rank = if range.is_empty() { Rank::Before } else { Rank::Replace };
    Splice { range, text: text.to_owned(), rank, place }
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &pair.value else {
        return None;
    };
    pair.path.is_ident("doc").then(|| line.value())
}
