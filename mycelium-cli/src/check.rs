//! Whether a node would start with a configuration, and as what.

use std::path::Path;
use std::process::ExitCode;

use mycelium_ext::config::{Config, ConfigError};

/// Prints the topology of `file`, or its mistakes.
pub(crate) fn run(file: &Path) -> ExitCode {
    match Config::load(file) {
        Ok(config) => {
            print!("{config}");
            ExitCode::SUCCESS
        }
        Err(ConfigError::Mistakes(mistakes)) => {
            for mistake in &mistakes {
                eprintln!("{mistake}");
            }
            let s = if mistakes.len() == 1 { "" } else { "s" };
            eprintln!("mycelium: {} mistake{s} in the configuration", mistakes.len());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("mycelium: {error}");
            ExitCode::from(2)
        }
    }
}
