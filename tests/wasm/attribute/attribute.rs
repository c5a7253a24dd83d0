//! One word for tests everywhere: where hublet's unit tests are built to WebAssembly this crate's `#[test]` stands in for the compiler's.

use proc_macro::TokenStream;

/// A test that runs in Node and in browsers.
#[proc_macro_attribute]
pub fn test(_: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: TokenStream = "#[::wasm_bindgen_test::wasm_bindgen_test]".parse().unwrap_or_default();
    tokens.extend(function);
    tokens
}
