use ractor_cluster_derive::{RactorMessage, SharedMessage};

#[derive(Clone, RactorMessage, SharedMessage)]
struct Order(u64);

fn main() {}
