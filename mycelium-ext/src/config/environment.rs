//! The layer above the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// The variables that a configuration may be overridden by. Its values are never printed, since
/// some are secrets.
///
/// ```
/// use mycelium_ext::config::{Config, Environment};
///
/// let environment = Environment::of([("MYCELIUM_NODE_NAME", "other"), ("MYCELIUM_NODE_COOKIE", "c")]);
/// let config = Config::parse("[node]\nname = \"feed\"\n", "mycelium.toml", &environment)?;
/// assert_eq!(config.node.name.as_str(), "other");
/// # Ok::<(), mycelium_ext::config::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The process's own, as it is now. A variable whose name is not Unicode is not taken.
    #[must_use]
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { variables: std::env::vars_os().filter_map(named).collect() }
    }

    /// No variables at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { variables: BTreeMap::new() }
    }

    /// These variables.
    pub fn of<N: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let owned = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: owned.collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.variables.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("variables", &self.variables.len()).finish()
    }
}
