//! `mycelium.toml`.

use mycelium_ext::config::{Config, ConfigError, Environment, Place};

/// In no text that is tried.
const COOKIE: &str = "open-sesame-0a1b2c3d";

/// A configuration is read or refused, its mistakes are in the text, and nothing shows the cookie.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // It may name files, and some files never end.
    if ["/dev", "/proc", "/sys", "\\u", "\\U", "\\x"].iter().any(|it| text.contains(it)) {
        return;
    }
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", COOKIE)]);
    let parsed = Config::parse(text, "nowhere/mycelium.toml", &environment);
    let shown = match &parsed {
        Ok(config) => format!("{config}{config:?}"),
        Err(error) => format!("{error}{error:?}"),
    };
    assert!(!shown.contains(COOKIE) || text.contains(COOKIE), "it shows the cookie: {shown}");
    if let Err(ConfigError::Mistakes(mistakes)) = parsed {
        assert!(!mistakes.is_empty(), "it is refused without a reason");
        for mistake in mistakes {
            if let Place::File { line, .. } = mistake.place {
                // The end of a text may be said to be in the line behind it.
                assert!((1..=text.split('\n').count() + 1).contains(&line), "line {line}");
            }
        }
    }
}
