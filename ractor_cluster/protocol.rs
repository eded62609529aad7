//! Compiles the cluster's protocol. The build script uses it for the woven sources; in the
//! exported crate it is the build script.

use std::path::Path;
use std::{env, fs, io};

/// Compiles every `.proto` file of `folder` into `OUT_DIR`, with the compiler that a crate
/// brings along.
pub(crate) fn compile(folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "proto") {
            files.push(path);
        }
    }
    files.sort();
    let protoc = protoc_bin_vendored::protoc_bin_path().map_err(io::Error::other)?;
    prost_build::Config::new()
        .protoc_executable(protoc)
        .out_dir(env::var_os("OUT_DIR").expect("cargo sets it"))
        .compile_protos(&files, &[folder])
}

#[allow(dead_code)]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/protocol");
    compile(Path::new("src/protocol"))
}
