//! Whether a node would start with a configuration, and as what.

mod excerpt;

use std::path::Path;
use std::process::ExitCode;

use mycelium_ext::config::{Config, ConfigError, Mistake, Place};
use serde_json::{Value, json};

use crate::colour::{Colour, Colours};
use crate::json;

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
        Ok(config) if json => json::result("check", status, report(file, Ok(&config))),
        Err(ConfigError::Mistakes(mistakes)) if json => {
            json::result("check", status, report(file, Err(&mistakes)));
        }
        Err(error) if json => {
            eprintln!("mycelium: {error}");
            json::failure("check", status, &error.to_string());
        }
        Ok(config) => {
            print!("{config}");
            let word = Colours::of_errors().paint(Colour::Yellow, "warning");
            for warning in config.warnings() {
                eprintln!("{word}: {warning}");
            }
        }
        Err(error) => eprintln!("mycelium: {}", tell(&error)),
    }
    ExitCode::from(status)
}

/// Prints all that is wrong, on standard error, each with its line, and returns the sum of it.
pub(crate) fn tell(error: &ConfigError) -> String {
    match error {
        ConfigError::Mistakes(mistakes) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
                if let Some(excerpt) = excerpt::of(mistake) {
                    eprint!("{}", painted(&excerpt, Colours::of_errors()));
                }
            }
            let s = if mistakes.len() == 1 { "" } else { "s" };
            format!("{} mistake{s} in the configuration", mistakes.len())
        }
        error => error.to_string(),
    }
}

/// An excerpt with its caret in colour.
fn painted(excerpt: &str, colours: Colours) -> String {
    match excerpt.strip_suffix("^\n") {
        Some(before) => format!("{before}{}\n", colours.paint(Colour::Red, "^")),
        None => excerpt.to_owned(),
    }
}

/// What was found, for programs. Secrets are not in it.
fn report(file: &Path, read: Result<&Config, &Vec<Mistake>>) -> Value {
    let mistakes: Vec<Value> = read.err().into_iter().flatten().map(mistake).collect();
    let warnings = read.iter().flat_map(|config| config.warnings());
    json!({
        "file": file,
        "right": read.is_ok(),
        "mistakes": mistakes,
        "warnings": warnings.map(|warning| warning.to_string()).collect::<Vec<_>>(),
        "topology": read.ok().map(ToString::to_string),
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
