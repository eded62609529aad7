//! Archives: found where they should be, and refused when they are not what was pinned.

mod common;

use std::fs;

use common::{pack, pack_raw, stock};
use tempfile::TempDir;
use upstream::archive::{sha256, unpack};
use upstream::locate::Places;
use upstream::{Error, Tree};

#[test]
fn a_package_comes_back_as_it_was_packed() {
    assert_eq!(unpack("demo-1.0.0", &pack(&stock(), "1.0.0")).unwrap(), stock());
}

#[test]
fn a_truncated_archive_is_refused() {
    let whole = pack(&stock(), "1.0.0");
    for length in [0, 5, whole.len() / 2, whole.len() - 9] {
        let error = unpack("demo-1.0.0", &whole[..length]).map(|tree| tree == stock());
        match error {
            Err(Error::Archive { package, .. }) => assert_eq!(package, "demo-1.0.0"),
            // The end of an archive is padding, which nothing is lost with.
            Ok(complete) => assert!(complete, "{length} bytes gave half a package"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn paths_that_leave_the_package_are_refused() {
    let file = tar::EntryType::Regular;
    for path in ["../evil", "demo-1.0.0/../evil", "/etc/evil", "other-1.0.0/file", "demo-1.0.0"] {
        let error = unpack("demo-1.0.0", &pack_raw(path, file)).unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{path}: {error}");
    }
}

#[test]
fn links_are_refused() {
    let link = pack_raw("demo-1.0.0/link", tar::EntryType::Symlink);
    let words = unpack("demo-1.0.0", &link).unwrap_err().to_string();
    assert!(words.contains("neither a file nor a folder"), "{words}");
}

/// A cargo home whose cache for the registry `registry` holds `content` as `demo` 1.0.0.
fn cache(home: &TempDir, registry: &str, content: &[u8]) {
    let folder = home.path().join("registry/cache").join(registry);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("demo-1.0.0.crate"), content).unwrap();
}

fn at_home(home: &TempDir) -> Places {
    Places { cargo_home: Some(home.path().to_owned()), ..Places::default() }
}

#[test]
fn the_cache_is_searched_in_all_registries() {
    let home = TempDir::new().unwrap();
    let right = pack(&stock(), "1.0.0");
    cache(&home, "a-private-one", b"a namesake");
    cache(&home, "the-public-one", &right);
    let found = at_home(&home).find("demo", "1.0.0", Some(&sha256(&right))).unwrap();
    assert_eq!(found, right);
}

#[test]
fn a_wrong_checksum_names_both_sums() {
    let home = TempDir::new().unwrap();
    cache(&home, "only", b"tampered with");
    let pinned = sha256(b"the right one");
    let error = at_home(&home).find("demo", "1.0.0", Some(&pinned)).unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }));
    let words = error.to_string();
    assert!(words.contains(&pinned), "{words}");
    assert!(words.contains(&sha256(b"tampered with")), "{words}");
    assert!(words.contains("delete the file"), "{words}");
}

#[test]
fn the_override_comes_first_and_is_never_passed_over() {
    let (home, mine) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let right = pack(&stock(), "1.0.0");
    cache(&home, "only", &right);
    fs::write(mine.path().join("demo-1.0.0.crate"), b"wrong").unwrap();
    let places = Places { override_dir: Some(mine.path().to_owned()), ..at_home(&home) };
    let error = places.find("demo", "1.0.0", Some(&sha256(&right))).unwrap_err();
    assert!(matches!(error, Error::Checksum { archive, .. } if archive.starts_with(mine.path())));
}

#[test]
fn an_override_that_is_no_folder_is_refused() {
    for folder in ["archives", "/there/is/no/such/folder"] {
        let places = Places { override_dir: Some(folder.into()), ..Places::default() };
        let error = places.find("demo", "1.0.0", None).unwrap_err();
        assert!(matches!(error, Error::Override(_)), "{error}");
        assert!(error.to_string().contains(folder), "{error}");
    }
}

#[test]
fn without_a_sum_the_caches_have_to_agree() {
    let home = TempDir::new().unwrap();
    cache(&home, "one", b"a package");
    assert_eq!(at_home(&home).find("demo", "1.0.0", None).unwrap(), b"a package");
    cache(&home, "two", b"a namesake");
    let error = at_home(&home).find("demo", "1.0.0", None).unwrap_err();
    assert!(error.to_string().contains("they differ"), "{error}");
}

#[test]
fn nothing_cached_and_no_network_says_what_to_do() {
    let home = TempDir::new().unwrap();
    let words = at_home(&home).find("demo", "1.0.0", None).unwrap_err().to_string();
    assert!(words.contains("demo-1.0.0.crate was not found"), "{words}");
    assert!(words.contains("cargo is offline"), "{words}");
    assert!(words.contains("MYCELIUM_UPSTREAM_DIR"), "{words}");
}

#[test]
fn a_download_that_fails_is_told_in_cargos_words() {
    let home = TempDir::new().unwrap();
    let scratch = TempDir::new().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap();
    let places = Places { fetch: Some((cargo, scratch.path().to_owned())), ..at_home(&home) };
    // No registry has a package of this name, since it cannot be one.
    let words = places.find("demo", "not-a-version", None).unwrap_err().to_string();
    assert!(words.contains("`cargo info demo@not-a-version`: error"), "{words}");
}

#[test]
fn writing_a_tree_repairs_what_an_interrupted_build_left() {
    let folder = TempDir::new().unwrap();
    let path = |file: &str| folder.path().join(file);
    stock().write(folder.path()).unwrap();
    let untouched = fs::metadata(path("src/engine.rs")).unwrap().modified().unwrap();
    fs::write(path("src/lib.rs"), "half a fi").unwrap();
    fs::write(path("src/left_over.rs"), "").unwrap();
    fs::create_dir_all(path("old/folder")).unwrap();

    stock().write(folder.path()).unwrap();

    assert_eq!(Tree::read(folder.path()).unwrap(), stock());
    assert!(!path("old").exists());
    // What was right is not written again, so that nothing is compiled again.
    assert_eq!(fs::metadata(path("src/engine.rs")).unwrap().modified().unwrap(), untouched);
}

#[test]
fn two_builds_at_once_do_no_harm() {
    let folder = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let folder = &folder;
                scope.spawn(move || {
                    for round in 0..50 {
                        // Every round has something to write, and something to remove.
                        let mut tree = stock();
                        tree.insert("src/lib.rs", format!("// {number} {round}"));
                        tree.insert(format!("src/of_{number}.rs"), "");
                        tree.write(folder.path()).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
    });
    stock().write(folder.path()).unwrap();
    assert_eq!(Tree::read(folder.path()).unwrap(), stock());
}
