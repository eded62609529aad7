//! Modules under the names that the files use for each other.

#[path = "../../src/actor/control.rs"]
pub(crate) mod control;
pub(crate) mod mailbox;
#[path = "../../src/actor/receive.rs"]
pub(crate) mod receive;
