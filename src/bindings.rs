//! The JavaScript side of the WebAssembly module: one file a class, functions here.
//!
//! Strings, bytes and plain objects cross the boundary; nothing here calls back into JavaScript.

extern crate std;

use alloc::string::String;

use wasm_bindgen::prelude::wasm_bindgen;

/// The version of this package, as in its manifest: `major.minor.patch`.
#[wasm_bindgen]
pub fn version() -> String {
    String::from(env!("CARGO_PKG_VERSION"))
}
