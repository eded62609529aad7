//! `mycelium demo`: one tick, three distances, shown on recorded trades.
//!
//! A feed sends each tick as one `Arc` to readers in its process, in a second process of the machine
//! and in a third one that is treated as remote. All run the same code.

pub(crate) mod args;
mod book;
mod checksum;
pub(crate) mod child;
mod children;
mod clock;
mod cluster;
mod counters;
mod data;
mod feed;
mod figures;
mod histogram;
mod histogram_svg;
mod html;
mod ledger;
mod message;
mod outcome;
mod plan;
mod progress;
mod reader;
mod run;
mod sequence;
mod signals;
mod text;
mod tick;
mod trades;

pub(crate) use run::run;
