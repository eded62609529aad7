//! Addresses, as configurations and command lines have them.

use mycelium_ext::address::Address;

/// What is an address is written as one that means the same.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Address>() {
        Ok(address) => {
            let written = address.to_string();
            assert_eq!(written.parse().as_ref(), Ok(&address), "of {text:?} as {written:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
