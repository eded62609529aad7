//! What cannot be shared does not compile, and the compiler names the bound.
//!
//! In one feature set: the others have other blanket implementations to name.
#![cfg(not(any(
    feature = "actor-macros",
    feature = "async-std",
    feature = "async-trait",
    feature = "cluster",
    feature = "output-port-v2"
)))]

#[test]
fn messages_that_cannot_be_shared_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
