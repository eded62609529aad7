//! Whether a node would start with a configuration, and as what.

mod excerpt;

use std::path::Path;
use std::process::ExitCode;

use mycelium_ext::config::{Config, ConfigError, Mistake, Place};
use serde_json::{Value, json};

/// Prints the topology of `file` and, on standard error, what is risky in it; or its mistakes. With
/// `json`, prints either for programs.
pub(crate) fn run(file: &Path, json: bool) -> ExitCode {
    let read = Config::load(file);
    let status = match &read {
        Ok(_) => 0,
        Err(ConfigError::Mistakes(_)) => 1,
        Err(_) => 2,
    };
    match read {
        read if json => println!("{:#}", report(file, &read)),
        Ok(config) => {
            print!("{config}");
            for warning in config.warnings() {
                eprintln!("warning: {warning}");
            }
        }
        Err(error) => tell(&error),
    }
    ExitCode::from(status)
}

/// Prints all that is wrong, on standard error, each with its line.
pub(crate) fn tell(error: &ConfigError) {
    match error {
        ConfigError::Mistakes(mistakes) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
                if let Some(excerpt) = excerpt::of(mistake) {
                    eprint!("{excerpt}");
                }
            }
            let s = if mistakes.len() == 1 { "" } else { "s" };
            eprintln!("mycelium: {} mistake{s} in the configuration", mistakes.len());
        }
        error => eprintln!("mycelium: {error}"),
    }
}

/// What was found, for programs. Secrets are not in it.
fn report(file: &Path, read: &Result<Config, ConfigError>) -> Value {
    let (mut mistakes, mut warnings, mut topology, mut error) = (vec![], vec![], None, None);
    match read {
        Ok(config) => {
            warnings = config.warnings().iter().map(ToString::to_string).collect();
            topology = Some(config.to_string());
        }
        Err(ConfigError::Mistakes(found)) => mistakes = found.iter().map(mistake).collect(),
        Err(other) => error = Some(other.to_string()),
    }
    json!({
        "file": file,
        "right": read.is_ok(),
        "mistakes": mistakes,
        "warnings": warnings,
        "topology": topology,
        "error": error,
    })
}

fn mistake(mistake: &Mistake) -> Value {
    let (file, line, column, variable) = match &mistake.place {
        Place::File { file, line, column } => (Some(file), Some(line), Some(column), None),
        Place::Environment { variable } => (None, None, None, Some(variable)),
        _ => (None, None, None, None),
    };
    json!({
        "file": file,
        "line": line,
        "column": column,
        "variable": variable,
        "key": mistake.key,
        "expected": mistake.expected,
        "found": mistake.found,
        "hint": mistake.hint,
    })
}
