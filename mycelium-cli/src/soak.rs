//! `mycelium soak`: a small cluster under faults, and a balance of every message.
//!
//! Feeds and readers run in processes of their own. The coordinator kills them, stops them and cuts
//! what links them, by a plan that a seed decides, and starts again what it killed. Each process
//! writes what it does with a message to a pipe before, or as, it does it: what stands in a pipe
//! outlives the one who wrote it, so that the coordinator's book is whole also where a process was
//! killed between two instructions.
//!
//! Two more processes attack the cluster: a hostile member, which knows the cookie, and a stranger,
//! which does not. Budgets say what that may cost the others.

mod account;
pub(crate) mod args;
mod budgets;
mod caller;
mod chaos;
mod cluster;
mod crew;
mod document;
mod feed;
mod health;
mod log;
mod member;
mod message;
mod numbers;
mod outsiders;
mod process;
mod reader;
mod record;
mod relay;
mod report;
mod run;
mod shown;
mod stage;
mod watch;

pub(crate) use member::run as member;
pub(crate) use run::run;
