//! The cookie of the cluster, and the three ways to say it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::mistake::Place;
use super::reader::{Reader, Section};
use super::secret::Secret;
use super::setting::Setting;
use super::values::Variable;

/// The most that is read of a file that is said to hold a cookie.
const LONGEST: u64 = 64 * 1024;

/// One way to say it.
enum Source {
    Inline(Setting<Secret>),
    File(Setting<PathBuf>),
    Variable(Setting<Variable>),
}

impl Source {
    const fn key(&self) -> &'static str {
        match self {
            Self::Inline(_) => "cookie",
            Self::File(_) => "cookie_file",
            Self::Variable(_) => "cookie_env",
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
pub(super) fn find(reader: &mut Reader<'_>, node: &mut Section<'_, '_>) -> Option<Setting<Secret>> {
    let written: Vec<Source> = [
        node.written(reader, "cookie").map(Source::Inline),
        node.written(reader, "cookie_file").map(Source::File),
        node.written(reader, "cookie_env").map(Source::Variable),
    ]
    .into_iter()
    .flatten()
    .collect();
    let layered: Vec<Source> = [
        reader.variable(&node.key("cookie")).map(Source::Inline),
        reader.variable(&node.key("cookie_file")).map(Source::File),
        reader.variable(&node.key("cookie_env")).map(Source::Variable),
    ]
    .into_iter()
    .flatten()
    .collect();
    let contradictions = [&written, &layered].map(|layer| contradiction(reader, node, layer));
    let chosen = layered.into_iter().next().or_else(|| written.into_iter().next());
    match chosen {
        _ if contradictions.contains(&true) => None,
        Some(source) => open(reader, node, source),
        None => {
            let said = |key| node.has_layered(reader, key);
            if !["cookie", "cookie_file", "cookie_env"].into_iter().any(said) {
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
fn contradiction(reader: &mut Reader<'_>, node: &Section<'_, '_>, layer: &[Source]) -> bool {
    let [first, others @ ..] = layer else { return false };
    for other in others {
        if let Some(place) = other.place() {
            reader.mistake(
                place.clone(),
                node.key(other.key()),
                "one of cookie, cookie_file and cookie_env",
                format!("{} beside {}", other.key(), first.key()),
                None,
            );
        }
    }
    !others.is_empty()
}

fn open(
    reader: &mut Reader<'_>,
    node: &Section<'_, '_>,
    source: Source,
) -> Option<Setting<Secret>> {
    let key = node.key(source.key());
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
    let unreadable = |error: std::io::Error| (format!("which cannot be read: {error}"), None);
    // Asked before it is opened: to open a pipe would wait for its writer.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(("which is no regular file".to_owned(), None));
    }
    let file = File::open(path).map_err(unreadable)?;
    private(&file, path)?;
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.len() as u64 {
        0 => Err(("which is empty".to_owned(), None)),
        long if long > LONGEST => Err(("which is too large for a cookie".to_owned(), None)),
        _ => Ok(Secret::new(text)),
    }
}

/// Refuses a file that others than its owner may read or write.
#[cfg(unix)]
fn private(file: &File, path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt;

    let metadata =
        file.metadata().map_err(|error| (format!("whose mode cannot be read: {error}"), None))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err((
        format!("which others than its owner may use (mode {mode:04o})"),
        Some(format!("run `chmod 600 {}`", path.display())),
    ))
}

#[cfg(not(unix))]
fn private(_: &File, _: &Path) -> Result<(), Refusal> {
    Ok(())
}
