//! Modules under the names by which the files know each other.

#[path = "../../src/actor/control.rs"]
pub(crate) mod control;
pub(crate) mod mailbox;
#[path = "../../src/actor/receive.rs"]
pub(crate) mod receive;
