//! Finds what an edit stands on, and says so when it is not there.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::items::{self, Item};
use crate::patch::{Edit, Op, Patch};
use crate::splice::{self, Rank, Splice};
use crate::tokens::{self, Token};
use crate::{Error, Result, Tree};

/// A file of upstream, parsed once for all its edits.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Its path inside the package.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// All its tokens.
    pub tokens: Vec<Token>,
    /// All its items.
    pub items: Vec<Item>,
}

impl<'a> Source<'a> {
    /// Parses `text`, the content of `file`.
    ///
    /// # Errors
    /// [`Error::Syntax`].
    pub fn parse(file: &'a str, text: &'a str) -> Result<Self> {
        let wrong = |why| Error::Syntax { file: file.to_owned(), why };
        if text.starts_with('\u{feff}') || (text.starts_with("#!") && !text.starts_with("#![")) {
            // The parser would leave it out, and count every byte from behind it.
            return Err(wrong("it starts with a byte order mark or a `#!` line".to_owned()));
        }
        let stream = tokens::stream(text).map_err(wrong)?;
        let tokens = tokens::flatten(stream.clone());
        let items = items::of(file, stream, &tokens).map_err(wrong)?;
        Ok(Self { file, text, tokens, items })
    }

    /// The fingerprint of the tokens in `range`.
    pub fn fingerprint(&self, range: &Range<usize>) -> String {
        tokens::fingerprint(tokens::within(&self.tokens, range))
    }
}

/// Why an edit does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// In a sentence.
    pub why: String,
    /// The nearest match, or the choices.
    pub candidates: Vec<String>,
}

/// Where an edit does its work: one range for each twin it means.
#[derive(Debug, Clone)]
pub struct Target {
    /// The item that the edit is confined to, or the whole file.
    pub item: Range<usize>,
    /// What is replaced; empty for an insertion.
    pub(crate) range: Range<usize>,
    /// What is put there.
    text: String,
    /// Where it goes among others at the same byte.
    rank: Rank,
}

impl Edit {
    /// Finds what this edit stands on in `source`.
    ///
    /// # Errors
    /// A [`Misfit`] when the item or the anchor is not there exactly once, or when the item
    /// is no longer the pinned one.
    pub fn locate(&self, source: &Source<'_>) -> Result<Vec<Target>, Misfit> {
        let Some(address) = &self.item else {
            let all = 0..source.text.len();
            return Ok(vec![self.target(source, None, all)?]);
        };
        let found = items::resolve(&source.items, address);
        if found.is_empty() {
            return Err(Misfit {
                why: "the file has no such item".to_owned(),
                candidates: items::nearest(&source.items, address),
            });
        }
        if found.len() > 1 && !self.all_twins {
            return Err(Misfit {
                why: format!(
                    "the address names {} items: put an attribute that only one of them has in \
                     front of its last segment, or say `all-twins = true`",
                    found.len()
                ),
                candidates: found.iter().map(|item| describe(source, &item.range)).collect(),
            });
        }
        found.into_iter().map(|item| self.target(source, Some(item), item.range.clone())).collect()
    }

    fn target(
        &self,
        source: &Source<'_>,
        item: Option<&Item>,
        scope: Range<usize>,
    ) -> Result<Target, Misfit> {
        let at = match &self.anchor {
            Some(anchor) => find_anchor(source, &scope, anchor)?,
            None => scope.clone(),
        };
        if let Some(pin) = &self.pin {
            let now = source.fingerprint(&scope);
            if now != *pin {
                return Err(Misfit {
                    why: format!(
                        "the item is not the one that the edit was written for: its fingerprint \
                         is \"{now}\", and the edit's `pin` is \"{pin}\""
                    ),
                    candidates: vec![describe(source, &scope)],
                });
            }
        }
        // A comma belongs to the field or variant that it ends.
        let listed = item.is_some_and(|item| item.listed) && self.anchor.is_none();
        let comma = listed.then(|| comma_after(source, at.end)).flatten();
        let code = self.code.trim();
        let entry = code.trim_end_matches(',');
        let (range, text, rank) = match self.op {
            Op::InsertBefore if listed => (at.start..at.start, format!("{entry},\n"), Rank::Before),
            Op::InsertBefore => (at.start..at.start, format!("{code}\n"), Rank::Before),
            Op::InsertAfter if listed => match comma {
                Some(end) => (end..end, format!("\n{entry},\n"), Rank::After),
                None => (at.end..at.end, format!(",\n{entry}\n"), Rank::After),
            },
            Op::InsertAfter => (at.end..at.end, format!("\n{code}\n"), Rank::After),
            Op::InsertStart => {
                let start = self.body(item, &scope)?.start;
                (start..start, format!("\n{code}\n"), Rank::Start)
            }
            Op::InsertEnd => {
                let body = self.body(item, &scope)?;
                let text = match last_listed(item, &body) {
                    Some(last) if comma_after(source, last).is_none() => format!(",\n{entry}\n"),
                    Some(_) => format!("\n{entry},\n"),
                    None => format!("\n{code}\n"),
                };
                (body.end..body.end, text, Rank::End)
            }
            // A line of its own, since the code may end in a comment.
            Op::Replace => (at, format!("{code}\n"), Rank::Replace),
            Op::Remove => (at.start..comma.unwrap_or(at.end), String::new(), Rank::Replace),
        };
        Ok(Target { item: scope, range, text, rank })
    }

    fn body(&self, item: Option<&Item>, scope: &Range<usize>) -> Result<Range<usize>, Misfit> {
        match item {
            None => Ok(scope.clone()),
            Some(item) => item.body.clone().ok_or_else(|| Misfit {
                why: "the item has no braces to insert into".to_owned(),
                candidates: Vec::new(),
            }),
        }
    }
}

fn find_anchor(
    source: &Source<'_>,
    scope: &Range<usize>,
    anchor: &[Token],
) -> Result<Range<usize>, Misfit> {
    let hay = tokens::within(&source.tokens, scope);
    let found = tokens::find(hay, anchor);
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Misfit {
            why: "the anchor does not stand in the item".to_owned(),
            candidates: nearest_anchor(source, hay, anchor),
        }),
        many => Err(Misfit {
            why: format!("the anchor stands {} times in the item: make it longer", many.len()),
            candidates: many.iter().map(|range| describe(source, range)).collect(),
        }),
    }
}

/// The lines where the longest beginning of `anchor` stands.
fn nearest_anchor(source: &Source<'_>, hay: &[Token], anchor: &[Token]) -> Vec<String> {
    (1..anchor.len())
        .rev()
        .map(|length| tokens::find(hay, &anchor[..length]))
        .find(|found| !found.is_empty())
        .into_iter()
        .flatten()
        .take(5)
        .map(|range| describe(source, &range))
        .collect()
}

/// `file:line: the line's text`, of the first token that is code in `range`.
fn describe(source: &Source<'_>, range: &Range<usize>) -> String {
    let number = line_of(source.text, range.start);
    let line = source.text.lines().nth(number - 1).unwrap_or_default();
    format!("{}:{number}: {}", source.file, line.trim())
}

/// The line that holds the byte `at`, counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The end of the comma that follows the byte `end`, if one does.
///
/// Reads the text, since [`tokens`] leaves out a comma before a closing bracket.
fn comma_after(source: &Source<'_>, end: usize) -> Option<usize> {
    let mut at = end;
    loop {
        let rest = &source.text[at..];
        if rest.starts_with("//") {
            at += rest.find('\n')?;
        } else if rest.starts_with("/*") {
            at += block_comment(rest);
        } else {
            let next = rest.chars().next()?;
            match next {
                ',' => return Some(at + 1),
                next if next.is_whitespace() => at += next.len_utf8(),
                _ => return None,
            }
        }
    }
}

/// The length of the block comment that `text` starts with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The end of the last field or variant in `body`, where commas separate what stands there.
fn last_listed(item: Option<&Item>, body: &Range<usize>) -> Option<usize> {
    let last = item?.children.last()?;
    (last.listed && body.contains(&last.range.start)).then_some(last.range.end)
}

/// Applies `patches` to `tree`, which is upstream's.
///
/// Every edit addresses upstream's own text, never what another patch made of it, so that
/// patches do not depend on each other.
///
/// # Errors
/// [`Error::Edit`] for an edit that does not fit, [`Error::Overlap`] for two that collide,
/// [`Error::Syntax`] for a file that cannot be parsed.
pub fn apply(tree: &mut Tree, patches: &[&Patch]) -> Result<()> {
    let mut by_file: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
    for edit in patches.iter().flat_map(|patch| &patch.edits) {
        by_file.entry(&edit.place.file).or_default().push(edit);
    }
    for (file, edits) in by_file {
        let text = tree.text(file).ok_or_else(|| Error::Edit {
            place: Box::new(edits[0].place.clone()),
            why: "upstream has no such file".to_owned(),
            candidates: namesakes(tree, file),
        })?;
        let source = Source::parse(file, text)?;
        let mut splices = Vec::new();
        for edit in edits {
            let targets = edit.locate(&source).map_err(|misfit| Error::Edit {
                place: Box::new(edit.place.clone()),
                why: misfit.why,
                candidates: misfit.candidates,
            })?;
            splices.extend(targets.into_iter().map(|target| Splice {
                range: target.range,
                text: target.text,
                rank: target.rank,
                place: edit.place.clone(),
            }));
        }
        let patched = splice::apply(text, splices)?;
        tree.insert(file, patched);
    }
    Ok(())
}

/// Files with the same name in other folders.
fn namesakes(tree: &Tree, file: &str) -> Vec<String> {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    tree.iter()
        .map(|(path, _)| path)
        .filter(|path| name(path) == name(file))
        .map(str::to_owned)
        .collect()
}
