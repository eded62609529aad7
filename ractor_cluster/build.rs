//! Makes the forked sources out of upstream's package and `patches/ractor_cluster/`, and
//! compiles the protocol: upstream's, with our additions.

mod protocol;

fn main() -> std::io::Result<()> {
    let woven = upstream::build_script::run(patches::PINS, patches::FILES);
    println!("cargo::rerun-if-changed=protocol.rs");
    protocol::compile(&woven.join("src/protocol"))
}
