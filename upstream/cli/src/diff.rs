//! `cargo upstream diff`: the fork as a unified diff against stock.

use similar::TextDiff;
use upstream::Tree;

use crate::repository::Repository;
use crate::{Failure, export};

pub(crate) fn run(
    repository: &Repository,
    krate: Option<&str>,
    file: Option<&str>,
) -> Result<bool, Failure> {
    if let Some(krate) = krate {
        repository.fork.pins.get(krate, "the command line")?;
    }
    let mut found = false;
    for name in repository.crates() {
        if krate.is_some_and(|krate| krate != name) {
            continue;
        }
        let stock = export::without_packaging(&repository.stock(&name)?);
        let forked = export::sources(repository, &name, &stock)?;
        for path in paths(&stock, &forked) {
            if file.is_none_or(|file| file == path) {
                found = true;
                print!("{}", unified(&name, path, &stock, &forked));
            }
        }
    }
    if !found {
        eprintln!("no such file differs from stock");
    }
    Ok(true)
}

/// The files that differ.
pub(crate) fn paths<'a>(stock: &'a Tree, forked: &'a Tree) -> Vec<&'a str> {
    let mut paths: Vec<&str> = stock
        .iter()
        .chain(forked.iter())
        .map(|(path, _)| path)
        .filter(|path| stock.get(path) != forked.get(path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn unified(krate: &str, path: &str, stock: &Tree, forked: &Tree) -> String {
    let side = |tree: &Tree, root: &str| match tree.get(path) {
        Some(_) => format!("{root}/{krate}/{path}"),
        None => "/dev/null".to_owned(),
    };
    TextDiff::from_lines(stock.text(path).unwrap_or(""), forked.text(path).unwrap_or(""))
        .unified_diff()
        .header(&side(stock, "stock"), &side(forked, "fork"))
        .to_string()
}
