//! A stand-in for a crate that upstream's examples use and that is not published.

use proc_macro::TokenStream;

/// Runs an `async fn main` on the runtime that the example's features choose.
#[proc_macro_attribute]
pub fn ractor_example_entry(_: TokenStream, main: TokenStream) -> TokenStream {
    let mut entry: TokenStream = "#[cfg_attr(feature = \"async-std\", async_std::main)] \
         #[cfg_attr(not(feature = \"async-std\"), tokio::main)]"
        .parse()
        .expect("two attributes");
    entry.extend(main);
    entry
}
