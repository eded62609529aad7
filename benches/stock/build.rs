//! Unpacks the pinned stock release, unchanged.

fn main() {
    upstream::build_script::run_stock("ractor", patches::PINS);
}
