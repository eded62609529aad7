//! A node on another machine, by a session with the cookie.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mycelium_ext::address::Address;
use mycelium_ext::config::{Config, Environment};
use mycelium_ext::view::{RemoteError, RemoteTarget, Request, Snapshot};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::TopArgs;
use crate::check;

/// How long the session may take to end.
const PARTING: Duration = Duration::from_secs(2);

/// The address that is meant, if it is one and not the name, the number or the socket of a local
/// node: `HOST:PORT`, or with a scheme.
pub(super) fn address(text: &str) -> Option<Result<Address, String>> {
    let is_host = |host: &str| !host.is_empty() && !host.contains('/');
    let has_port = |(host, port): (&str, &str)| is_host(host) && port.parse::<u16>().is_ok();
    let text = match text {
        with_scheme if text.contains("://") => with_scheme.to_owned(),
        bare if bare.rsplit_once(':').is_some_and(has_port) => format!("tcp://{bare}"),
        _ => return None,
    };
    Some(text.parse().map_err(|error| format!("{text} is no address: {error}")))
}

/// A node that is connected to when it is asked first, and again when the session has ended.
#[derive(Clone)]
pub(super) struct Remote(Arc<Inner>);

struct Inner {
    config: Config,
    name: String,
    address: Address,
    /// Runs the node that asks.
    runtime: Runtime,
    session: Mutex<Option<RemoteTarget>>,
}

impl Remote {
    /// The node at this address, with the cookie that the arguments name.
    pub(super) fn new(args: &TopArgs, address: Address) -> Result<Self, String> {
        let config = match (&args.config, &args.cookie_file) {
            (Some(file), _) => Config::load(file).map_err(|error| check::tell(&error))?,
            (None, Some(file)) => with_cookie(file)?,
            (None, None) => {
                let how = "say which cookie: --config FILE or --cookie-file FILE";
                return Err(format!("{address} is on another machine; {how}"));
            }
        };
        let name = args.name.clone().unwrap_or_else(|| format!("top-{}", std::process::id()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime: {error}"))?;
        let session = Mutex::default();
        Ok(Self(Arc::new(Inner { config, name, address, runtime, session })))
    }

    /// Asks the node. Connects first, where there is no session.
    pub(super) fn ask(&self, request: &Request) -> Result<Snapshot, String> {
        let Inner { config, name, address, runtime, session } = &*self.0;
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = runtime.block_on(async {
            let target = match session.take() {
                Some(target) => target,
                None => RemoteTarget::connect(config, name, address.clone()).await?,
            };
            let answer = target.ask(request).await;
            match answer {
                Err(RemoteError::Lost) => target.close().await,
                _ => *session = Some(target),
            }
            answer
        });
        asked.map_err(|error: RemoteError| error.to_string())
    }
}

/// Ends the session, so that the node need not wait for it to come back.
impl Drop for Inner {
    fn drop(&mut self) {
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(target) = session {
            let closed = async { timeout(PARTING, target.close()).await };
            // A node that hangs ends with the process.
            _ = self.runtime.block_on(closed);
        }
    }
}

/// Of the same session.
impl PartialEq for Remote {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.address.fmt(f)
    }
}

/// A configuration with the cookie in this file, and nothing else. What holds for `cookie_file` in
/// a configuration holds here too: it is a small file that its owner alone can read.
fn with_cookie(file: &Path) -> Result<Config, String> {
    let path: PathBuf =
        std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let path = path.to_str().ok_or("the path of the cookie is not UTF-8")?;
    // A text of JSON is one of TOML.
    let path = serde_json::Value::from(path);
    let text = format!("[node]\nname = \"top\"\ncookie_file = {path}\n");
    // Variables are for a node with a configuration.
    let environment = Environment::of([("", ""); 0]);
    Config::parse(&text, "--cookie-file", &environment).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_name_and_no_socket() {
        let read = |text: &str| address(text).map(|it| it.map(|it| it.to_string()));
        for (text, meant) in [
            ("feed.example.org:4697", "tcp://feed.example.org:4697"),
            ("127.0.0.1:1", "tcp://127.0.0.1:1"),
            ("[::1]:7", "tcp://[::1]:7"),
            ("tls://feed:7", "tls://feed:7"),
        ] {
            assert_eq!(read(text), Some(Ok(meant.to_owned())));
        }
        for text in
            ["feed", "feed@host", "4711", "/run/a:1", "run/a.sock", ":7", "feed:70000", "a:b"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(matches!(read("http://feed:7"), Some(Err(_))));
    }
}
