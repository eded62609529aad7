//! Makes the forked sources out of upstream's package and `patches/ractor/`.

fn main() {
    upstream::build_script::run(patches::PINS, patches::FILES);
}
