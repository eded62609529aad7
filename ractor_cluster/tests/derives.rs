//! The derives that applications take from this crate.

use ractor::message::SharedMessage as _;
use ractor_cluster::{RactorMessage, SharedMessage};

#[derive(RactorMessage, SharedMessage)]
struct Tick(u64);

#[test]
fn the_derive_of_shared_messages_is_here() {
    assert_eq!(Tick(1).clone_shared().map(|tick| tick.0), Some(1));
}
