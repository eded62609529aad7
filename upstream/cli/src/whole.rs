//! The forked sources of a crate in one piece, as if upstream had written them.
//!
//! In the repository a forked file includes what the build made; here those inclusions are
//! resolved, so that the result stands for itself.

use std::ops::Range;

use upstream::edit::Source;
use upstream::fork::Fork;
use upstream::tokens::{self, Token};
use upstream::weave::{self, Layout, ROOT};
use upstream::{Error, Result, Tree};

/// All files of the forked crate `krate`, out of upstream's `stock` files and our `src/` files;
/// manifests and the build script are upstream's still.
///
/// # Errors
/// See [`Fork::make`].
pub(crate) fn sources(fork: &Fork, krate: &str, stock: &Tree, ours: &Tree) -> Result<Tree> {
    let mut woven = fork.make(krate, stock, ours, Layout::Together)?;
    let patched_root = woven.text(ROOT).unwrap_or_default().to_owned();
    let opened = weave::open(ROOT, &patched_root, "")?;
    let content = |name: &str| match name {
        ROOT => Some(opened.items.clone()),
        "lib.md" => {
            Some(opened.documentation.lines().map(|line| format!("//! {line}\n")).collect())
        }
        name => woven.text(name).map(str::to_owned),
    };
    let mut resolved = Vec::new();
    for (file, bytes) in ours.iter() {
        let text = match ours.text(file).filter(|_| file.ends_with(".rs")) {
            Some(text) => resolve(file, text, &content)?.into_bytes(),
            None => bytes.to_vec(),
        };
        resolved.push((file.to_owned(), text));
    }
    for (file, content) in resolved {
        woven.remove(&weave::graft_path(&file));
        woven.insert(file, content);
    }
    Ok(woven)
}

/// Replaces every inclusion of a file that the build made with that file's content.
fn resolve(file: &str, text: &str, content: &impl Fn(&str) -> Option<String>) -> Result<String> {
    let source = Source::parse(file, text)?;
    let mut resolved = String::with_capacity(text.len());
    let mut done = 0;
    for (range, name) in inclusions(&source) {
        let included = content(&name).ok_or_else(|| Error::Shadow {
            file: file.to_owned(),
            why: format!("it includes {name}, which the build does not make"),
        })?;
        resolved.push_str(&text[done..range.start]);
        resolved.push_str(&included);
        done = range.end;
    }
    resolved.push_str(&text[done..]);
    Ok(resolved)
}

/// How our files include what the build made, as tokens before and after the file's name.
const INCLUSIONS: [(&str, &str); 2] = [
    (r#"include ! ( concat ! ( env ! ( "OUT_DIR" ) ,"#, ") ) ;"),
    (r##"# ! [ doc = include_str ! ( concat ! ( env ! ( "OUT_DIR" ) ,"##, ") ) ]"),
];

/// Where `source` includes what the build made, in the order of the text, and the path of that in
/// the woven tree.
fn inclusions(source: &Source<'_>) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for (before, after) in INCLUSIONS {
        let before: Vec<&str> = before.split(' ').collect();
        let after: Vec<&str> = after.split(' ').collect();
        for window in source.tokens.windows(before.len() + 1 + after.len()) {
            let (head, rest) = window.split_at(before.len());
            let same = |tokens: &[Token], words: &[&str]| {
                tokens.iter().zip(words).all(|(token, word)| token.text == *word)
            };
            if same(head, &before) && same(&rest[1..], &after) {
                let name = rest[0].text.trim_matches('"');
                if let Some(name) = name.strip_prefix("/upstream/") {
                    found.push((tokens::extent(window), name.to_owned()));
                }
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}
