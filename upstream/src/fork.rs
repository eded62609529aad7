//! The fork as a whole: the pins, the patches, and what they make of a crate.

use crate::edit::{self, Source};
use crate::locate::Places;
use crate::patch::Patch;
use crate::pins::Pins;
use crate::weave::{self, Layout};
use crate::{Error, Result, Tree, archive, tokens};

/// Pins and patches, read and checked against each other.
#[derive(Debug, Clone)]
pub struct Fork {
    /// Which upstream releases.
    pub pins: Pins,
    /// By crate, in the order of their file names.
    pub patches: Vec<Patch>,
}

impl Fork {
    /// Reads the pins and the patch files, given as `(crate, file name, TOML text)`.
    ///
    /// # Errors
    /// [`Error::Pins`], [`Error::Patch`], or [`Error::UnknownCrate`] for a patch of a crate
    /// that is not pinned.
    pub fn load(pins: &str, files: &[(&str, &str, &str)]) -> Result<Self> {
        let pins = Pins::parse(pins)?;
        let mut patches = Vec::new();
        for (krate, file, text) in files {
            pins.get(krate, &format!("the patch {krate}/{file}"))?;
            patches.push(Patch::parse(krate, file, text)?);
        }
        Ok(Self { pins, patches })
    }

    /// The patches of the crate `krate`.
    pub fn patches_of(&self, krate: &str) -> Vec<&Patch> {
        self.patches.iter().filter(|patch| patch.krate == krate).collect()
    }

    /// Upstream's own files of the crate `krate`: found, verified and unpacked.
    ///
    /// # Errors
    /// See [`Places::find`] and [`archive::unpack`].
    pub fn stock(&self, krate: &str, places: &Places) -> Result<Tree> {
        let pin = self.pins.get(krate, "the build")?;
        let bytes = places.find(krate, &pin.version, Some(&pin.sha256))?;
        archive::unpack(&format!("{krate}-{}", pin.version), &bytes)
    }

    /// Upstream's files with the patches applied and `ours` woven in; `ours` are the files of
    /// our package below `src/`.
    ///
    /// # Errors
    /// A shadow that is not the one pinned, an edit that does not fit, two that collide, or an
    /// edit of text that a shadow replaces.
    pub fn make(&self, krate: &str, stock: &Tree, ours: &Tree, layout: Layout<'_>) -> Result<Tree> {
        self.check_shadows(krate, stock, ours)?;
        let patches = self.patches_of(krate);
        check_edits_of_shadows(&patches, stock, ours)?;
        let mut tree = stock.clone();
        edit::apply(&mut tree, &patches)?;
        weave::weave(&mut tree, ours, layout)?;
        Ok(tree)
    }

    /// Checks each shadow against its pin, and each pin against the shadows.
    fn check_shadows(&self, krate: &str, stock: &Tree, ours: &Tree) -> Result<()> {
        let pins = &self.pins.get(krate, "the build")?.shadows;
        let wrong =
            |file: &str, why: String| Err(Error::Shadow { file: format!("{krate}/{file}"), why });
        for (file, _) in ours.iter().filter(|(file, _)| weave::is_shadow(file, stock)) {
            let now = shadow_fingerprint(stock, file)?;
            match pins.get(file) {
                Some(pin) if *pin == now => {}
                Some(pin) => {
                    return wrong(
                        file,
                        format!(
                            "upstream's file is no longer the one that it replaces: its fingerprint \
                         is \"{now}\", and the pin is \"{pin}\"\n  bring over what upstream \
                         changed, then pin it in patches/upstream.toml"
                        ),
                    );
                }
                None => {
                    return wrong(
                        file,
                        format!(
                            "it replaces an upstream file and is not pinned\n  add \
                         `{file:?} = {now:?}` to [crates.{krate}.shadows] in \
                         patches/upstream.toml"
                        ),
                    );
                }
            }
        }
        for file in pins.keys() {
            if ours.get(file).is_none() {
                return wrong(
                    file,
                    "it is pinned in patches/upstream.toml, and does not exist".into(),
                );
            }
            if stock.get(file).is_none() {
                return wrong(file, "it is pinned, and upstream has no such file".into());
            }
        }
        Ok(())
    }
}

/// The fingerprint of the upstream file `file`, which a shadow replaces: of its tokens where it
/// has any, else of its bytes.
///
/// # Errors
/// [`Error::Syntax`].
pub fn shadow_fingerprint(stock: &Tree, file: &str) -> Result<String> {
    let lexed = file.ends_with(".rs") || file.ends_with(".proto");
    match stock.text(file).filter(|_| lexed) {
        Some(text) => tokens::lex(text)
            .map(|tokens| tokens::fingerprint(&tokens))
            .map_err(|why| Error::Syntax { file: file.to_owned(), why }),
        None => Ok(archive::sha256(stock.get(file).unwrap_or_default())[..16].to_owned()),
    }
}

/// An edit of a shadowed file counts only where the graft takes its text over; anywhere else it
/// would be lost without a word.
fn check_edits_of_shadows(patches: &[&Patch], stock: &Tree, ours: &Tree) -> Result<()> {
    for edit in patches.iter().flat_map(|patch| &patch.edits) {
        let file = edit.place.file.as_str();
        if ours.get(file).is_none() || !weave::is_shadow(file, stock) {
            continue;
        }
        let source = Source::parse(file, stock.text(file).unwrap_or_default())?;
        let shadow = Source::parse(file, ours.text(file).unwrap_or_default())?;
        let grafted = weave::left_behind(&source, &shadow.items);
        let kept = edit.locate(&source).is_ok_and(|targets| {
            targets.iter().all(|target| {
                // What stands beside the module is not taken over with it.
                grafted.iter().any(|item| {
                    item.range.start < target.range.start && target.range.end < item.range.end
                })
            })
        });
        if !kept {
            return Err(Error::Edit {
                place: Box::new(edit.place.clone()),
                why: "the file is shadowed, and only its test modules are upstream's: change \
                      our file instead"
                    .to_owned(),
                candidates: Vec::new(),
            });
        }
    }
    Ok(())
}
