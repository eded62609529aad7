//! Makes the forked sources out of upstream's package and `patches/ractor_cluster_derive/`.

fn main() {
    upstream::build_script::run(patches::PINS, patches::FILES);
}
