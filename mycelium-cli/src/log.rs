//! What is logged, on standard error.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::colour;

/// Begins to log: as `RUST_LOG` says, or as much as was asked for. Without either nothing is
/// logged.
///
/// # Errors
/// `RUST_LOG` is no filter.
pub(crate) fn begin(verbose: u8) -> Result<(), String> {
    let Some(filter) = filter(std::env::var("RUST_LOG").ok().as_deref(), verbose)? else {
        return Ok(());
    };
    let has_colours = colour::may_be_used(&io::stderr());
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(has_colours);
    tracing_subscriber::registry().with(lines).with(filter).try_init().map_err(|it| it.to_string())
}

fn filter(variable: Option<&str>, verbose: u8) -> Result<Option<Targets>, String> {
    if let Some(text) = variable.filter(|text| !text.is_empty()) {
        let parsed = text.parse().map(Some);
        return parsed.map_err(|error| {
            format!("RUST_LOG: {error}; write a level, or targets: ractor_cluster=debug,info")
        });
    }
    let level = match verbose {
        0 => return Ok(None),
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    Ok(Some(Targets::new().with_default(level)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::filter;

    #[test]
    fn the_variable_goes_before_the_flag() {
        assert!(filter(None, 0).unwrap().is_none());
        let info = filter(Some(""), 1).unwrap().unwrap();
        assert!(info.would_enable("any", &Level::INFO));
        assert!(!info.would_enable("any", &Level::DEBUG));
        let own = filter(Some("ractor_cluster=debug,warn"), 3).unwrap().unwrap();
        assert!(own.would_enable("ractor_cluster::link", &Level::DEBUG));
        assert!(!own.would_enable("any", &Level::INFO));
        assert!(filter(Some("a=loud"), 0).unwrap_err().contains("RUST_LOG"));
    }
}
