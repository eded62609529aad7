//! The seeds of all targets, as `fuzz/run` begins with them.

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use mycelium_fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("it can be read").file_name().into_string().expect("it is text")
    };
    entries.map(name).collect::<BTreeSet<_>>().into_iter().collect()
}

/// In one test, so that the panics are those of this one.
#[test]
fn nothing_is_wrong_with_any_seed() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = panic::take_hook();
    // Also those that are caught: a fuzzer ends with each.
    panic::set_hook(Box::new(move |it| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(it);
    }));
    for target in TARGETS {
        let folder = fuzz().join("seeds").join(target.name);
        let seeds = names(&folder);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            let bytes = fs::read(folder.join(&seed)).expect("it can be read");
            (target.body)(&bytes);
            let panics = PANICS.load(Ordering::Relaxed);
            assert_eq!(panics, 0, "something panicked with {}/{seed}", target.name);
        }
    }
}

#[test]
fn every_target_has_all_that_a_fuzzer_needs() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("it can be read");
    let mut sources: BTreeSet<String> = names(&fuzz().join("fuzz_targets")).into_iter().collect();
    let mut seeds: BTreeSet<String> = names(&fuzz().join("seeds")).into_iter().collect();
    for target in TARGETS {
        let (name, source) = (target.name, format!("{}.rs", target.name));
        assert!(manifest.contains(&format!("name = {name:?}")), "{name} has no [[bin]]");
        assert!(manifest.contains(&format!("fuzz_targets/{source}")), "{name} has no [[bin]]");
        assert!(sources.remove(&source), "there is no fuzz_targets/{source}");
        assert!(seeds.remove(name), "there are no seeds of {name}");
    }
    assert!(sources.is_empty() && seeds.is_empty(), "of no target: {sources:?} {seeds:?}");
}
