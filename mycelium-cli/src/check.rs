//! Whether a node would start with a configuration, and as what.

use std::path::Path;
use std::process::ExitCode;

use mycelium_ext::config::{Config, ConfigError};

/// Prints the topology of `file` and, on standard error, what is risky in it; or its mistakes.
pub(crate) fn run(file: &Path) -> ExitCode {
    match Config::load(file) {
        Ok(config) => {
            print!("{config}");
            for warning in config.warnings() {
                eprintln!("warning: {warning}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&error);
            ExitCode::from(match error {
                ConfigError::Mistakes(_) => 1,
                _ => 2,
            })
        }
    }
}

/// Prints all that is wrong, on standard error.
pub(crate) fn tell(error: &ConfigError) {
    match error {
        ConfigError::Mistakes(mistakes) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
            }
            let s = if mistakes.len() == 1 { "" } else { "s" };
            eprintln!("mycelium: {} mistake{s} in the configuration", mistakes.len());
        }
        error => eprintln!("mycelium: {error}"),
    }
}
