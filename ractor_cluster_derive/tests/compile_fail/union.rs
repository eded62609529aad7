use ractor_cluster_derive::SharedMessage;

#[derive(SharedMessage)]
union Either {
    number: u64,
    bytes: [u8; 8],
}

fn main() {}
