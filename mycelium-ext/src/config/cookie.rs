//! The cookie of the cluster, and the three ways to say it.

use std::path::{Path, PathBuf};

use super::error::Place;
use super::reader::{Reader, Section};
use super::secret::Secret;
use super::setting::Setting;
use super::values::Variable;
use crate::file::{self, FileError};

/// The longest cookie that is taken from a file, in bytes.
const LONGEST: usize = 64 * 1024;

/// The keys of a secret.
pub(super) struct Keys {
    inline: &'static str,
    file: &'static str,
    variable: &'static str,
    is_needed: bool,
}

/// Those of the cookie.
pub(super) const COOKIE: Keys =
    Keys { inline: "cookie", file: "cookie_file", variable: "cookie_env", is_needed: true };

/// Those of a further cookie whose gossip is understood.
pub(super) const ALSO_ACCEPT: Keys = Keys {
    inline: "also_accept",
    file: "also_accept_file",
    variable: "also_accept_env",
    is_needed: false,
};

/// One way to say it.
enum Source {
    Inline(Setting<Secret>),
    File(Setting<PathBuf>),
    Variable(Setting<Variable>),
}

impl Source {
    const fn key(&self, keys: &Keys) -> &'static str {
        match self {
            Self::Inline(_) => keys.inline,
            Self::File(_) => keys.file,
            Self::Variable(_) => keys.variable,
        }
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Inline(it) => it.place(),
            Self::File(it) => it.place(),
            Self::Variable(it) => it.place(),
        }
    }
}

/// Finds the cookie: one way in the environment, or else one way in the file.
pub(super) fn find(
    reader: &mut Reader<'_>,
    node: &mut Section<'_, '_>,
    keys: &Keys,
) -> Option<Setting<Secret>> {
    let written: Vec<Source> = [
        node.written(reader, keys.inline).map(Source::Inline),
        node.written(reader, keys.file).map(Source::File),
        node.written(reader, keys.variable).map(Source::Variable),
    ]
    .into_iter()
    .flatten()
    .collect();
    let inline = written.iter().find(|source| matches!(source, Source::Inline(_)));
    reader.inline_cookie = inline.and_then(Source::place).cloned().or(reader.inline_cookie.take());
    let layered: Vec<Source> = [
        reader.variable(&node.key(keys.inline)).map(Source::Inline),
        reader.variable(&node.key(keys.file)).map(Source::File),
        reader.variable(&node.key(keys.variable)).map(Source::Variable),
    ]
    .into_iter()
    .flatten()
    .collect();
    let contradictions = [&written, &layered].map(|layer| contradiction(reader, node, keys, layer));
    let chosen = layered.into_iter().next().or_else(|| written.into_iter().next());
    match chosen {
        _ if contradictions.contains(&true) => None,
        Some(source) => open(reader, node, keys, source),
        None => {
            let said = |key| node.has_layered(reader, key);
            let all = [keys.inline, keys.file, keys.variable];
            if keys.is_needed && !all.into_iter().any(said) {
                missing(reader, node);
            }
            None
        }
    }
}

fn missing(reader: &mut Reader<'_>, node: &Section<'_, '_>) {
    reader.mistake(
        reader.place(node.at()),
        node.key("cookie"),
        "the secret that all nodes of the cluster share",
        "nothing",
        Some("write cookie_file = \"FILE\", or set MYCELIUM_NODE_COOKIE".to_owned()),
    );
}

/// Tells of a second way in one layer.
fn contradiction(
    reader: &mut Reader<'_>,
    node: &Section<'_, '_>,
    keys: &Keys,
    layer: &[Source],
) -> bool {
    let [first, others @ ..] = layer else { return false };
    for other in others {
        if let Some(place) = other.place() {
            reader.mistake(
                place.clone(),
                node.key(other.key(keys)),
                format!("one of {}, {} and {}", keys.inline, keys.file, keys.variable),
                format!("{} beside {}", other.key(keys), first.key(keys)),
                None,
            );
        }
    }
    !others.is_empty()
}

fn open(
    reader: &mut Reader<'_>,
    node: &Section<'_, '_>,
    keys: &Keys,
    source: Source,
) -> Option<Setting<Secret>> {
    let key = node.key(source.key(keys));
    let place = source.place()?.clone();
    match source {
        Source::Inline(secret) => Some(secret),
        Source::File(file) => {
            let path = match &place {
                Place::File { .. } => reader.resolve(&file),
                Place::Environment { .. } => file.into_inner(),
            };
            match read_file(&path) {
                Ok(secret) => Some(Setting::written(secret, place)),
                Err((found, hint)) => {
                    let found = format!("{}, {found}", path.display());
                    reader.mistake(
                        place,
                        key,
                        "a file with the cookie, for its owner only",
                        found,
                        hint,
                    );
                    None
                }
            }
        }
        Source::Variable(name) => match reader.environment().get(&name.0) {
            Some(value) => {
                let place = Place::Environment { variable: name.0.clone() };
                reader.read_variable(value, &key, place)
            }
            None => {
                let found = format!("{}, which is not set", name.0);
                reader.mistake(place, key, "the name of a variable that is set", found, None);
                None
            }
        },
    }
}

/// What is wrong with a file, and what to do about it.
type Refusal = (String, Option<String>);

fn read_file(path: &Path) -> Result<Secret, Refusal> {
    let refused = |error| match error {
        FileError::TooLarge => too_large(),
        FileError::Irregular(kind) => (
            format!("which is no regular file, but {kind}"),
            Some("name a regular file that holds the cookie".to_owned()),
        ),
        FileError::Io(error) => (format!("which cannot be read: {error}"), None),
    };
    let file = file::open(path).map_err(refused)?;
    let mode =
        file::mode(&file).map_err(|error| (format!("whose mode cannot be read: {error}"), None))?;
    private(mode, path)?;
    let text = file::read(&file).and_then(file::text).map_err(refused)?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(("which is empty".to_owned(), None)),
        long if long.len() > LONGEST => Err(too_large()),
        text => Ok(Secret::new(text)),
    }
}

fn too_large() -> Refusal {
    let hint = "name a file of at most 64 KiB that holds the cookie alone";
    ("which is too large for a cookie".to_owned(), Some(hint.to_owned()))
}

/// Refuses a file that others than its owner may read or write.
fn private(mode: Option<u32>, path: &Path) -> Result<(), Refusal> {
    match mode {
        Some(mode) if mode & 0o077 != 0 => Err((
            format!("which others than its owner may use (mode {mode:04o})"),
            Some(format!("run `chmod 600 {}`", path.display())),
        )),
        _ => Ok(()),
    }
}
