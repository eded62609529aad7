//! What cannot be shared does not compile, and the compiler names the bound.
//!
//! In one feature set: the others have other blanket implementations to name. It is the one of
//! upstream's own compile-fail cases, since all cases of a set share what is built for them.
#![cfg(all(
    feature = "actor-macros",
    not(any(
        feature = "async-std",
        feature = "async-trait",
        feature = "cluster",
        feature = "output-port-v2"
    ))
))]

#[test]
fn messages_that_cannot_be_shared_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
