//! Lists the patch files, so that `src/lib.rs` can embed them all.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut list = String::from("&[\n");
    for folder in sorted(&root)?.iter().filter(|path| path.is_dir()) {
        let krate = name(folder);
        if krate == "src" {
            continue;
        }
        for file in sorted(folder)? {
            if file.extension().is_some_and(|ending| ending == "toml") {
                let patch = name(&file);
                writeln!(list, "({krate:?}, {patch:?}, include_str!({file:?})),")
                    .expect("a string grows");
            }
        }
    }
    list.push(']');
    // The whole folder: the first patch of a crate makes a new one in it.
    println!("cargo::rerun-if-changed=.");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("patches.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("an entry of a folder has a name");
    name.to_string_lossy().into_owned()
}
