//! Compiles the cluster's protocol. The build script uses it for the woven sources; in the
//! exported crate it is the build script.
//!
//! Beside the types it writes `schema.rs`: which fields of which message are messages or lists,
//! for the scan of a frame before it is decoded. So no list of a later protocol is forgotten.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

/// The labels and types of fields, as descriptors number them.
const REPEATED: i32 = 3;
const STRING: i32 = 9;
const MESSAGE: i32 = 11;
const BYTES: i32 = 12;
const GROUP: i32 = 10;
/// Numbers of a fixed width: `double`, `float`, `fixed64`, `fixed32`, `sfixed32`, `sfixed64`.
const FIXED: [i32; 6] = [1, 2, 6, 7, 15, 16];

/// The message that every frame is.
const ROOT: &str = "meta.NetworkMessage";

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
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let mut config = prost_build::Config::new();
    config.protoc_executable(protoc).out_dir(&out);
    let descriptors = config.load_fds(&files, &[folder])?;

    let mut messages = Vec::new();
    for file in &descriptors.file {
        let package = file.package.as_deref().unwrap_or_default();
        for message in &file.message_type {
            assert!(
                message.nested_type.is_empty(),
                "{package}.{}: the schema has no messages within messages yet",
                message.name()
            );
            let mut fields = Vec::new();
            for field in &message.field {
                let kind = field.r#type.unwrap_or_default();
                assert!(kind != GROUP && !FIXED.contains(&kind) || field.label != Some(REPEATED));
                let of = field.type_name.as_deref().unwrap_or_default().trim_start_matches('.');
                let is_list = field.label == Some(REPEATED);
                fields.push((field.number(), kind, is_list, of.to_owned()));
            }
            messages.push((format!("{package}.{}", message.name()), fields));
        }
    }
    fs::write(Path::new(&out).join("schema.rs"), schema(&messages))?;
    config.compile_fds(descriptors)
}

/// A field's number, its type, whether it is a list, and the message that it is.
type Field = (i32, i32, bool, String);

/// The table of all messages, as Rust.
fn schema(messages: &[(String, Vec<Field>)]) -> String {
    let index = |name: &str| {
        let found = messages.iter().position(|(message, _)| message == name);
        found.unwrap_or_else(|| panic!("the protocol has no message {name}"))
    };
    let mut text = format!("const ROOT: usize = {};\n", index(ROOT));
    text.push_str("static MESSAGES: &[&[(u32, Shape)]] = &[\n");
    for (name, fields) in messages {
        write!(text, "    // {name}\n    &[").expect("it is text");
        for (number, kind, is_list, of) in fields {
            let shape = match (*kind, *is_list) {
                (MESSAGE, false) => format!("Shape::Message({})", index(of)),
                (MESSAGE, true) => {
                    let of = index(of);
                    let (name, fields) = &messages[of];
                    let texts =
                        fields.iter().filter(|(_, kind, ..)| [STRING, BYTES].contains(kind));
                    let path = format!("crate::protocol::{}", name.replace('.', "::"));
                    let texts = texts.count();
                    format!("Shape::List({of}, cost(size_of::<{path}>(), {texts}))")
                }
                (STRING | BYTES, true) => "Shape::Texts(cost(size_of::<String>(), 1))".to_owned(),
                (_, true) => "Shape::Numbers(cost(size_of::<u64>(), 0))".to_owned(),
                (_, false) => continue,
            };
            write!(text, "({number}, {shape}), ").expect("it is text");
        }
        text.push_str("],\n");
    }
    text.push_str("];\n");
    text
}

#[allow(dead_code)]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/protocol");
    compile(Path::new("src/protocol"))
}
