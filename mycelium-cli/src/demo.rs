//! `mycelium demo`: one tick, three distances, shown on recorded trades.
//!
//! A feed sends each tick as one `Arc` to readers in its process, in a second process of the
//! machine and in a third one that is treated as remote. All run the same code. `mycelium node`
//! does the same with these modules, between machines. Beside them run stock ractor and bare
//! queues, in the feed's process.

pub(crate) mod args;
pub(crate) mod book;
mod chart;
mod checksum;
pub(crate) mod child;
mod children;
mod clock;
pub(crate) mod cluster;
mod conclusion;
mod counters;
pub(crate) mod data;
mod distance;
pub(crate) mod document;
pub(crate) mod feed;
pub(crate) mod figures;
pub(crate) mod find;
pub(crate) mod floor;
mod histogram;
mod html;
pub(crate) mod ledger;
mod machine;
pub(crate) mod message;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod reports;
mod rivals;
mod run;
mod sequence;
pub(crate) mod signals;
pub(crate) mod text;
pub(crate) mod tick;
mod trades;
pub(crate) mod worker;

pub(crate) use run::run;
