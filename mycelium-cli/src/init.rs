//! A configuration to start with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use mycelium_ext::config::NodeName;
use rand::RngExt as _;

/// What cannot be written.
const REFUSED: u8 = 2;

/// Writes `mycelium.toml` and `cookie` into a folder, unless either is there.
pub(crate) fn run(folder: &Path, name: Option<String>) -> ExitCode {
    match write(folder, name) {
        Ok(()) => {
            let file = folder.join("mycelium.toml");
            println!("wrote {} and the cookie beside it", file.display());
            println!("next: mycelium check {0}; mycelium node --config {0}", file.display());
            println!(
                "other nodes need the same cookie: copy the file, mode 0600, and never print it"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mycelium: {error}");
            ExitCode::from(REFUSED)
        }
    }
}

fn write(folder: &Path, name: Option<String>) -> Result<(), String> {
    let failed = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} is there already, and is left alone", path.display())
        }
        _ => format!("writing {}: {error}", path.display()),
    };
    let name = match name {
        Some(name) => name.parse::<NodeName>().map_err(|error| format!("--name: {error}"))?,
        None => name_of(folder),
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let (file, cookie) = (folder.join("mycelium.toml"), folder.join("cookie"));
    // Both or none: a cookie without its configuration is of no use.
    let mut written = new(&file, 0o644).map_err(|error| failed(&file, error))?;
    let secret: String =
        rand::rng().random::<[u8; 32]>().iter().map(|it| format!("{it:02x}")).collect();
    let made = new(&cookie, 0o600).and_then(|mut file| file.write_all(secret.as_bytes()));
    if let Err(error) = made {
        _ = fs::remove_file(&file);
        return Err(failed(&cookie, error));
    }
    written.write_all(text(&name).as_bytes()).map_err(|error| failed(&file, error))
}

/// A file that was not there, with this mode.
fn new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

/// The folder's name, if a node can be called so.
fn name_of(folder: &Path) -> NodeName {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let own = full.file_name().and_then(|name| name.to_str()?.parse().ok());
    own.unwrap_or_else(|| "node".parse().expect("a name"))
}

fn text(name: &NodeName) -> String {
    format!(
        "# A node of a cluster. `mycelium check` says what this means, and what is wrong with it.\n\
         # All keys, with their defaults: mycelium.example.toml of mycelium-ext.\n\
         \n\
         [node]\n\
         name = {name:?}\n\
         # The secret that all nodes of the cluster share. Only its owner may use the file.\n\
         cookie_file = \"cookie\"\n\
         \n\
         # Where peers come in, beside the Unix socket for those of this machine. For other\n\
         # machines use tls, with certificate and key.\n\
         [[listen]]\n\
         tcp = \"127.0.0.1:4697\"\n\
         \n\
         # A peer, by its name. It is dialled, and dialled again.\n\
         # [nodes.archive]\n\
         # address = \"tcp://archive.example.org:4697\"\n\
         \n\
         # Figures for Prometheus, at http://127.0.0.1:9464/metrics.\n\
         # [metrics]\n\
         # listen = \"127.0.0.1:9464\"\n\
         \n\
         # `mycelium top` of the same user may attach.\n\
         [view]\n\
         socket = \"on\"\n",
        name = name.as_str()
    )
}
