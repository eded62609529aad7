//! Processes of `mycelium node`, and their configurations.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a configuration of the node `name`, to which `more` is added, and gives its file.
pub(crate) fn configured(folder: &Path, name: &str, more: &str) -> String {
    let file = format!("{name}.toml");
    let text = format!("[node]\nname = \"{name}\"\nhost = \"test\"\ncookie = \"sesame\"\n{more}");
    fs::write(folder.join(&file), text).expect("the configuration is written");
    file
}

/// A node with pipes, and with no variables of ours.
pub(crate) fn command(folder: &Path, file: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in inherited.filter(|name| name.starts_with("MYCELIUM_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .args(["node", "--config", file])
        .args(arguments)
        .env("XDG_RUNTIME_DIR", folder.join("run"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a reader's node is told of the feed's.
pub(crate) fn dialling(address: &str, more: &str) -> String {
    format!("[nodes.feed]\naddress = \"{address}\"\n{more}")
}
