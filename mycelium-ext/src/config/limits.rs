//! `[node.limits]`: what a node puts up with.

use std::time::Duration;

use super::declare::settings;
use super::reader::{Reader, Section};
use super::values::{OrOff, Size};

settings! {
    /// What a node puts up with.
    ///
    /// ```
    /// use std::time::Duration;
    /// use mycelium_ext::config::Limits;
    ///
    /// let mut limits = Limits::default();
    /// limits.connect_timeout = Duration::from_secs(1).into();
    /// assert_eq!(*limits.connect_timeout, Duration::from_secs(1));
    /// ```
    pub struct Limits over links {
        /// The largest frame that a peer may send, in bytes.
        max_frame: u64 as Size = own ractor_cluster::DEFAULT_MAX_INBOUND_FRAME_SIZE;
        /// What is kept for a peer until it has acknowledged it, in bytes.
        replay_window: u64 as Size = link links.replay_window;
        /// How long a peer may take from the open connection to authentication, and from there to
        /// the exchange of actors.
        handshake_timeout: Duration as Duration = link links.handshake_timeout;
        /// How many connections to this node may be open without being authenticated.
        max_handshakes: u64 as u64 = link links.max_handshakes;
        /// The largest frame of one that is not authenticated, in bytes.
        first_frame: u64 as Size = link links.limits.first_frame;
        /// How many peers there may be at a time.
        max_peers: u64 as u64 = link links.limits.peers;
        /// How many actors a peer may announce.
        max_actors: u64 as u64 = link links.limits.actors;
        /// Of how many groups a peer's actors may be members.
        max_groups: u64 as u64 = link links.limits.groups;
        /// How many memberships they may have together.
        max_memberships: u64 as u64 = link links.limits.memberships;
        /// The longest name of an actor or of a group, in bytes.
        max_name: u64 as Size = link links.limits.name_bytes;
        /// How many calls to one peer may wait for an answer, and how many of its calls.
        max_calls: u64 as u64 = link links.max_calls;
        /// How many lines are logged at once about peers that are refused for one cause, and about
        /// links and sessions, of one kind.
        log_lines: u64 as u64 = link links.limits.log_lines;
        /// How long a peer may be silent until its links are closed; zero: for ever.
        silence_timeout: Duration as OrOff = link links.silence_timeout;
        /// How long a link may take nothing of what waits until it is closed; zero: for ever.
        write_deadline: Duration as OrOff = link links.write_deadline;
        /// How long a session waits for its last link to come back; zero: not at all.
        reconnect_grace: Duration as OrOff = link links.reconnect_grace;
        /// How long it may take to open a connection, name resolution and TLS included.
        connect_timeout: Duration as Duration = link links.connect_timeout;
        /// The pause after the first failed attempt to connect.
        backoff_min: Duration as Duration = own Duration::from_millis(100);
        /// The longest pause.
        backoff_max: Duration as Duration = own Duration::from_secs(30);
        /// How long a connection has to last before the pauses start from the shortest again.
        backoff_reset: Duration as Duration = own Duration::from_secs(10);
    }
}

/// Compares the settings with each other.
pub(super) fn validate(reader: &mut Reader<'_>, section: &Section<'_, '_>, limits: &Limits) {
    if *limits.backoff_min <= *limits.backoff_max {
        return;
    }
    let (at, key) = match (limits.backoff_min.place(), limits.backoff_max.place()) {
        (Some(place), _) => (place, "backoff_min"),
        (None, Some(place)) => (place, "backoff_max"),
        (None, None) => return,
    };
    let pause = humantime::format_duration;
    reader.mistake(
        at.clone(),
        section.key(key),
        "a backoff_min of at most backoff_max",
        format!("{} and {}", pause(*limits.backoff_min), pause(*limits.backoff_max)),
        None,
    );
}

#[cfg(test)]
mod tests {
    use ractor_cluster::link::LinkOptions;

    use crate::config::{Config, Environment};
    use crate::node::NodeBuilder;

    /// The options of a node that is configured by `text`.
    fn options(text: &str) -> LinkOptions {
        let text = format!("[node]\nname = \"feed\"\ncookie = \"open sesame\"\n{text}");
        let config = Config::parse(&text, "mycelium.toml", &Environment::empty());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        NodeBuilder::of(&config).expect("this system can").links()
    }

    #[test]
    fn each_kind_of_value_gets_to_the_option_of_its_key() {
        let defaults = LinkOptions::default();
        let same = options("");
        assert_eq!(same.limits, defaults.limits);
        assert_eq!(same.connect_timeout, defaults.connect_timeout);

        let options = options(
            "[node.limits]\nmax_calls = 7\nlog_lines = 99999999999\nreplay_window = \"1 MiB\"\n\
             reconnect_grace = \"off\"\nfirst_frame = \"2 KiB\"\n\
             [node.tuning]\nbusy_poll = false\nmalloc_hint = false\n",
        );
        assert_eq!((options.max_calls, options.limits.log_lines), (7, u32::MAX));
        assert_eq!((options.replay_window, options.limits.first_frame), (1 << 20, 2048));
        assert!(options.reconnect_grace.is_zero());
        assert!(!options.busy_poll && !options.malloc_hint);
    }
}
