//! `cargo upstream open`: the patched trees as a git repository, to read, blame and debug.

use std::path::Path;
use std::process::Command;

use upstream::{Tree, edit};

use crate::progress::spinner;
use crate::repository::{Repository, fresh};
use crate::{Failure, export};

pub(crate) fn run(repository: &Repository, folder: &Path) -> Result<bool, Failure> {
    fresh(folder)?;
    let progress = spinner("writing the stock sources");
    git(folder, &["init", "--quiet", "--initial-branch=fork"])?;
    let mut stock = Vec::new();
    for name in repository.crates() {
        let tree = export::without_packaging(&repository.stock(&name)?);
        write(folder, &name, &tree)?;
        stock.push((name, tree));
    }
    let releases: Vec<String> = repository
        .fork
        .pins
        .crates
        .iter()
        .map(|(name, pin)| format!("{name} {}", pin.version))
        .collect();
    commit(folder, &format!("Stock: {}", releases.join(", ")))?;
    for (name, tree) in &stock {
        let patches = repository.fork.patches_of(name);
        for count in 1..=patches.len() {
            let patch = patches[count - 1];
            progress.now(format!("applying {name}/{}", patch.file));
            let mut patched = tree.clone();
            edit::apply(&mut patched, &patches[..count])?;
            write(folder, name, &patched)?;
            commit(
                folder,
                &format!(
                    "{name}: {}\n\n{}\n\nPatch: {name}/{}",
                    patch.title,
                    patch.why.trim(),
                    patch.file
                ),
            )?;
        }
    }
    progress.now("adding our own files");
    for (name, tree) in &stock {
        write(folder, name, &export::sources(repository, name, tree)?)?;
    }
    commit(folder, "Our own files, and those of ours that replace upstream's")?;
    drop(progress);
    println!("{}", folder.display());
    Ok(true)
}

fn write(folder: &Path, name: &str, tree: &Tree) -> Result<(), Failure> {
    Ok(tree.write(&folder.join(name))?)
}

fn commit(folder: &Path, message: &str) -> Result<(), Failure> {
    git(folder, &["add", "--all"])?;
    let identity = ["-c", "user.name=upstream", "-c", "user.email=upstream@localhost"];
    let commit =
        ["commit", "--quiet", "--allow-empty", "--no-verify", "--no-gpg-sign", "-m", message];
    git(folder, &[identity.as_slice(), commit.as_slice()].concat())
}

fn git(folder: &Path, words: &[&str]) -> Result<(), Failure> {
    let mut git = Command::new("git");
    // A hook that runs this has its own repository in the environment.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    let output = git.arg("-C").arg(folder).args(words).output();
    let output = output.map_err(|error| format!("git does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("git {}: {}", words.first().unwrap_or(&""), why.trim()).into())
}
