use std::time::Instant;

use ractor_cluster_derive::RactorClusterMessage;

#[derive(RactorClusterMessage)]
enum Book {
    Since(u64, Vec<Instant>),
}

fn main() {}
